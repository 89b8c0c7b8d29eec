"""A first convolution that whitens: each filter answers to one principal direction of the patches, all alike strongly.

Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv:2404.00498, sec. 3.2), after Page 2019,
"How to train your ResNet".
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from striate.errors import UsageError

LEAST = 5e-4  # variance, of normalised pixels, below which a direction is not made stronger: it is noise


def whiten(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Sets the first convolution of a net to a whitening of its patches, and keeps its weights from training.

    A pair of filters has the direction of an eigenvector of the patches' covariance, one its negative, and the length
    of 1 / standard deviation along it; the directions of most variance come first. Biases start at 0 and are trained.

    Args:
        net: changed in place.
        batches: of images (N, C, H, W), normalised, of the size that the net takes.

    Raises:
        UsageError: the net has no convolution that sees all channels of the images, or it has more filters than
            there are directions and their negatives, or an odd number.
    """
    layer = next((module for module in net.modules() if isinstance(module, nn.Conv2d)), None)
    if layer is None or layer.groups > 1:
        raise UsageError("`whiten`: expected a network that begins with a convolution; got one that does not.")
    directions = layer.weight[0].numel()
    if layer.out_channels % 2 or layer.out_channels > 2 * directions:
        raise UsageError(
            f"`whiten`: expected an even number of first filters, at most {2 * directions}, twice the values of a "
            f"patch; got {layer.out_channels}."
        )
    products, count = torch.zeros(directions, directions, dtype=torch.float64), 0
    for images in batches:
        patches = unfold(images, layer.kernel_size, layer.dilation, 0, layer.stride)  # (N, directions, places)
        patches = patches.transpose(0, 1).flatten(1)
        products += patches @ patches.T
        count += patches.shape[1]
    variances, vectors = torch.linalg.eigh(products / count)  # the least variance first
    filters = (vectors / (variances + LEAST).sqrt()).flip(1).T[: layer.out_channels // 2]
    with torch.no_grad():
        layer.weight.copy_(torch.cat([filters, -filters]).view_as(layer.weight))
        if layer.bias is not None:
            layer.bias.zero_()
    layer.weight.requires_grad_(False)
