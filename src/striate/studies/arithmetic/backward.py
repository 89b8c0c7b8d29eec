"""Backpropagation by hand, through a convolution and through max pooling, beside autograd."""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from striate.layers.max_unpool import max_pool_positions, max_unpool
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact

TINY = 1e-12


def off(by_hand: Tensor, tensor: Tensor) -> float:
    return float((by_hand - tensor).abs().max())


def convolution(trial: Trial) -> Measures:
    """A 2x2 filter on 3x3 pixels: each weight's gradient is the sum over the four places where it was used."""
    image = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    arrived = torch.randn(2, 2, dtype=torch.float64)  # dL/dz, from the layer above
    outputs = torch.conv2d(image[None, None], weights[None, None])[0, 0]
    by_autograd = torch.autograd.grad(outputs, [image, weights], arrived)
    of_weights, of_image = torch.zeros(2, 2).double(), torch.zeros(3, 3).double()
    for i in range(2):
        for j in range(2):
            of_weights += arrived[i, j] * image.detach()[i : i + 2, j : j + 2]
            of_image[i : i + 2, j : j + 2] += arrived[i, j] * weights.detach()
    return {"largest difference": max(off(of_image, by_autograd[0]), off(of_weights, by_autograd[1]))}


def max_pooling(trial: Trial) -> Measures:
    """The gradient goes to the largest pixel of each window; every other pixel gets nothing."""
    image = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    arrived = torch.randn(1, 1, 2, 2, dtype=torch.float64)
    (by_autograd,) = torch.autograd.grad(max_pool2d(image, 2), image, arrived)
    _, positions = max_pool_positions(image.detach())
    return {"largest difference": off(max_unpool(arrived, positions, (4, 4)), by_autograd)}


def change(trial: Trial) -> Measures:
    """A small change of a pixel reaches the output of its window where it is the largest, and nowhere else."""
    image = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    pooled, positions = max_pool_positions(image)
    largest = set(positions.flatten().tolist())
    wrong = 0
    for place in range(16):
        moved = image.clone()
        moved.view(-1)[place] += 1e-6
        changed = bool((max_pool2d(moved, 2) != pooled).any())
        wrong += changed != (place in largest)
    return {"largest difference": float(wrong)}


STUDY = Study(
    claims=("e-summed", "e-max-backward", "e-max-change", "b-pool-params", "e-pool"),
    claim="Gradients of a shared weight are summed, and max pooling passes the gradient to the largest pixel alone",
    setup="A convolution of 3x3 pixels by a 2x2 filter and a max pooling of 4x4 pixels, with random values in "
    "double precision. The gradients are computed step by step by the notes' rules and compared with "
    "PyTorch's. Then each pixel is moved a little.",
    arms={
        "convolution by hand": convolution,
        "max pooling by hand": max_pooling,
        "pixels that move the output": change,
    },
    figure=Dots("largest difference"),
    rule=lambda numbers: all_of(
        {
            name: exact(numbers, "largest difference", name, tolerance=TINY, name="largest difference")
            for name in ("convolution by hand", "max pooling by hand", "pixels that move the output")
        }
    ),
    planted={
        HOLDS: {
            "convolution by hand": {"largest difference": 1e-16},
            "max pooling by hand": {"largest difference": 0.0},
            "pixels that move the output": {"largest difference": 0.0},
        },
        FAILS: {
            "convolution by hand": {"largest difference": 0.4},
            "max pooling by hand": {"largest difference": 0.2},
            "pixels that move the output": {"largest difference": 3.0},
        },
    },
    literature="LeCun et al. 1998, Gradient-based learning applied to document recognition, sec. II, for shared "
    "weights; Rumelhart, Hinton and Williams 1986 for the chain rule through a network. The maximum has "
    "no derivative where two pixels tie; PyTorch takes the first.",
    remark="Both are the chain rule, and neither leaves anything to chance. A weight of a convolution takes part "
    "in every output, so its derivative is a sum over all of them. A maximum follows its largest input "
    "alone, so the derivative by every other pixel is zero, and moving one a little moves nothing. What "
    "differences there are, are the rounding of doubles.",
    chance=False,
    seeds=3,
)
