"""Occlusion: how much the score of a class falls where a patch hides the image.

Source: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", arXiv:1311.2901, sec. 4.2.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from striate.errors import SizeError
from striate.explain.activation import Explanation
from striate.explain.capture import class_numbers, evaluating, has_one_class, likeness_to, pixels, scores_of
from striate.model import Model


def occlusion_maps(
    model: Model,
    images: Tensor,
    classes: str | int | Sequence[str | int] | None = None,
    *,
    patch: int | None = None,
    stride: int | None = None,
    batch_size: int = 64,
) -> Explanation:
    """Maps of how much the score of a class falls when a grey patch hides each place.

    Of a model of a single class, whose probability is always 1, what falls is the overlap of the box that is then
    answered with the box that is answered to the whole image. A pixel's value is the mean fall over all patches that
    hid it. The patch has the mean colour of the training data, 0 after normalisation.

    Args:
        model: its weights and mode stay as they are.
        images: (N, H, W, C) uint8, as `predict_batch` takes them.
        classes: to explain, by name or number; the answer of each image unless given.
        patch: pixels a side; a quarter of the shorter side unless given.
        stride: pixels from one patch to the next; half a patch unless given.
        batch_size: hidden images at a time.

    Raises:
        SizeError: if the patch or the stride does not fit the image.
        UsageError: if the network has no such class.
    """
    height, width = images.shape[1:3]
    patch = max(min(height, width) // 4, 1) if patch is None else patch
    stride = max(patch // 2, 1) if stride is None else stride
    if not 1 <= patch <= min(height, width) or not 1 <= stride <= patch:
        raise SizeError(
            f"`patch` and `stride`: expected 1 <= stride <= patch <= {min(height, width)}; got {patch} and {stride}."
        )
    boxes = list(_boxes(height, width, patch, stride))
    maps, numbers, probabilities = [], [], []
    with torch.inference_mode(), evaluating(model.net):
        for place in range(len(images)):
            inputs = pixels(images[place : place + 1], model.preprocessing, model.machine)
            whole, shares = scores_of(model, inputs)
            wanted = classes if classes is None or isinstance(classes, str | int) else [classes[place]]
            number = class_numbers(model, wanted, whole.argmax(dim=1))
            score = likeness_to(model, inputs) if has_one_class(model) else partial(_score, model, int(number))
            scores = _hidden_scores(model, score, inputs, boxes, batch_size)
            maps.append(_mean_fall(float(score(inputs)) - scores, boxes, height, width))
            numbers.append(number)
            probabilities.append(shares)
    return Explanation(
        "occlusion",
        torch.stack(maps).numpy(),
        torch.cat(numbers).numpy(),
        torch.cat(probabilities).numpy(),
        model.classes,
        images.numpy(),
    )


def _boxes(height: int, width: int, patch: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Every place of the patch; at the far sides it is cut off."""
    down, across = (-(-max(n - patch, 0) // stride) + 1 for n in (height, width))
    for i in range(down):
        for j in range(across):
            yield slice(i * stride, i * stride + patch), slice(j * stride, j * stride + patch)


def _score(model: Model, number: int, inputs: Tensor) -> Tensor:
    """(N,) the score of a class for inputs (N, C, H, W), on the CPU."""
    return scores_of(model, inputs)[0][:, number].cpu()


def _hidden_scores(
    model: Model,
    score: Callable[[Tensor], Tensor],
    image: Tensor,
    boxes: list[tuple[slice, slice]],
    batch_size: int,
) -> Tensor:
    """(boxes,) the scores of one image (1, C, H, W) with each box hidden."""
    parts = []
    for start in range(0, len(boxes), batch_size):
        some = boxes[start : start + batch_size]
        hidden = image.repeat(len(some), 1, 1, 1)
        for row, (rows, columns) in enumerate(some):
            hidden[row, :, rows, columns] = 0
        parts.append(score(model.machine.images(hidden)))
    return torch.cat(parts)


def _mean_fall(falls: Tensor, boxes: list[tuple[slice, slice]], height: int, width: int) -> Tensor:
    """(H, W) the mean over the boxes that cover each pixel."""
    total, count = torch.zeros(height, width), torch.zeros(height, width)
    for fall, (rows, columns) in zip(falls.tolist(), boxes, strict=True):
        total[rows, columns] += fall
        count[rows, columns] += 1
    return total / count
