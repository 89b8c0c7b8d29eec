"""An output of a convolution depends on the few pixels under its filter; one of a dense layer on all of them."""

import torch
from torch import nn

from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact

SIDE = 16


def reached(layer: nn.Module) -> Measures:
    """On how many pixels each output depends, by the gradient."""
    image = torch.randn(1, 1, SIDE, SIDE, requires_grad=True)
    outputs = layer(image).flatten()
    counts = []
    for place in torch.randperm(len(outputs))[:20].tolist():
        (gradient,) = torch.autograd.grad(outputs[place], image, retain_graph=True)
        counts.append(float((gradient != 0).sum()))
    return {"pixels that an output depends on": max(counts)}


def dense(trial: Trial) -> Measures:
    return reached(nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 14**2)))


def convolution(trial: Trial) -> Measures:
    return reached(nn.Conv2d(1, 1, 3))


STUDY = Study(
    claims=("b-sparsity",),
    claim="Each output of a 3x3 convolution depends on nine pixels, whatever the size of the image",
    setup="Random weights, a random image of 16 x 16. The gradient of twenty outputs with respect to the image "
    "says on which pixels they depend.",
    arms={"3x3 convolution": convolution, "dense layer": dense},
    figure=Dots("pixels that an output depends on", log=True),
    rule=lambda numbers: all_of(
        {
            "": exact(numbers, "pixels that an output depends on", "3x3 convolution", 9),
            "all pixels": exact(numbers, "pixels that an output depends on", "dense layer", SIDE**2),
        }
    ),
    planted={
        HOLDS: {
            "3x3 convolution": {"pixels that an output depends on": 9.0},
            "dense layer": {"pixels that an output depends on": 256.0},
        },
        FAILS: {
            "3x3 convolution": {"pixels that an output depends on": 25.0},
            "dense layer": {"pixels that an output depends on": 200.0},
        },
    },
    literature="Goodfellow, Bengio and Courville 2016, Deep Learning, sec. 9.2, figs. 9.2 to 9.4: sparse "
    "interactions, and how the receptive field grows with depth all the same.",
    remark="It follows from what a convolution is: an output is a sum over the pixels under the filter. The "
    "gradient finds nine of the 256 pixels for every one of the twenty outputs, and all 256 for a dense "
    "layer. Depth gives back what sparsity takes: `receptive-field` shows that each further layer sees two "
    "pixels more.",
    chance=False,
    seeds=3,
)
