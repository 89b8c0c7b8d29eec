"""A convolution has far fewer parameters than a dense layer of the same outputs, and learns more from few images."""

from functools import partial

import torch
from torch import Tensor, nn

from striate.arithmetic import conv_params, replaced_dense_params
from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, more

CASES = (("in the middle", 100), ("anywhere", 100), ("anywhere", 800))
SIDE, MAPS = 12, 4


def placed(images: Tensor, where: str) -> Tensor:
    """8x8 digits on a canvas of 12x12."""
    canvas = torch.full((len(images), 1, SIDE, SIDE), float(images.min()))
    for image, target in zip(images, canvas, strict=True):
        row, column = torch.randint(0, 5, (2,)).tolist() if where == "anywhere" else (2, 2)
        target[:, row : row + 8, column : column + 8] = image
    return canvas


def layer(shared: bool) -> nn.Module:
    """4 maps of 12 x 12 from 12 x 12 pixels."""
    if shared:
        return nn.Conv2d(1, MAPS, 3, padding=1)
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, MAPS * SIDE**2), nn.Unflatten(1, (MAPS, SIDE, SIDE)))


def trained(trial: Trial, shared: bool) -> Measures:
    scores = []
    for where, size in CASES:
        images = trial.images.draw(size, trial.seed).changed(partial(placed, where=where))
        net = nn.Sequential(layer(shared), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(MAPS * 36, 10))
        learn(net, images, recipe(trial, 2000 // size, lr=0.05, batch_size=25))
        scores.append(accuracy(net, images.test, images.test_labels))
    return {"test accuracy": scores}


def counted(trial: Trial) -> Measures:
    """The notes' example: 300x300 with a 5x5 kernel."""
    weights, _ = replaced_dense_params(1, 1, 300, 300)
    return {"convolution 5x5": float(conv_params(1, 1, 5)), "dense 300x300": float(weights)}


STUDY = Study(
    claims=("b-sharing", "b-small-set", "e-26", "e-shared", "e-mlp", "b-dense-input"),
    claim="Sharing a filter's weights over the image saves parameters, and helps to learn from few images",
    setup="A first layer that makes 4 maps of 12 x 12: a 3x3 convolution, or a dense layer of the same outputs, "
    "with 2,000 times the parameters. ReLU, max pooling and a linear layer follow. Both see the same "
    "digits for as many steps: in the middle of the image, or anywhere in it. The notes' counts are "
    "computed beside it.",
    arms={
        "convolution": partial(trained, shared=True),
        "dense layer": partial(trained, shared=False),
        "the notes' counts": counted,
    },
    figure=Lines("test accuracy", "digits, training images", tuple(f"{where}, {size}" for where, size in CASES)),
    rule=lambda numbers: all_of(
        {"26 parameters": exact(numbers, "convolution 5x5", "the notes' counts", 26)}
        | {"8.1 x 10^9": exact(numbers, "dense 300x300", "the notes' counts", 300**4)}
        | {
            f"{where}, {size} images": more(numbers, "test accuracy", "convolution", "dense layer", least=0.005, at=at)
            for at, (where, size) in enumerate(CASES)
        }
    ),
    planted={
        HOLDS: {
            "convolution": {"test accuracy": [0.8, 0.7, 0.9]},
            "dense layer": {"test accuracy": [0.7, 0.4, 0.8]},
            "the notes' counts": {"convolution 5x5": 26.0, "dense 300x300": 8.1e9},
        },
        FAILS: {
            "convolution": {"test accuracy": [0.7, 0.4, 0.8]},
            "dense layer": {"test accuracy": [0.8, 0.7, 0.9]},
            "the notes' counts": {"convolution 5x5": 25.0, "dense 300x300": 8.1e8},
        },
    },
    literature="LeCun 1989, Generalization and network design strategies: on a small set of handwritten digits, "
    "networks of a single layer generalise poorly, and those with shift-invariant feature detectors very "
    "well.",
    remark="The counts are right to the digit. That sharing helps to learn does not show here: both networks end "
    "in a linear layer with a weight for each place, so what a shared filter finds has to be learned anew "
    "for each place after all, and 64 to 80 steps are few for it. Where digits lie anywhere, the dense "
    "layer's 83,520 numbers fit more than the convolution's 40.",
    sources=(DIGITS,),
    seeds=3,
)
