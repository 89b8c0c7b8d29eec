"""A 1x1 convolution to fewer channels before a 5x5 saves a factor of ten, and does not hurt."""

from functools import partial

from torch import Tensor, nn

from striate.arithmetic import conv_macs
from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import Pooled
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, no_worse

WIDTH, NARROW = 24, 4


def expensive(narrow: bool) -> nn.Module:
    """5x5 from 24 channels to 24, directly or through 4."""
    if not narrow:
        return nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 5, padding=2, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU())
    squeeze = nn.Sequential(nn.Conv2d(WIDTH, NARROW, 1, bias=False), nn.BatchNorm2d(NARROW), nn.ReLU())
    return nn.Sequential(*squeeze, nn.Conv2d(NARROW, WIDTH, 5, padding=2, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU())


def trained(trial: Trial, narrow: bool) -> Measures:
    images = trial.images.draw(400, trial.seed)
    stem = nn.Sequential(nn.Conv2d(1, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU())
    net = nn.Sequential(stem, nn.MaxPool2d(2), expensive(narrow), Pooled(), nn.Linear(WIDTH, 10))
    learn(net, images, recipe(trial, 12))
    macs = conv_macs(WIDTH, WIDTH, 5, 4)
    if narrow:
        macs = conv_macs(WIDTH, NARROW, 1, 4) + conv_macs(NARROW, WIDTH, 5, 4)
    return {
        "test accuracy": accuracy(net, images.test, images.test_labels),
        "multiplications of the layer": float(macs),
    }


def counted(trial: Trial) -> Measures:
    """The notes' example: 32 filters of 5x5 on 28x28x192, directly and through 16 channels."""
    direct = conv_macs(192, 32, 5, 28)
    through = conv_macs(192, 16, 1, 28) + conv_macs(16, 32, 5, 28)
    return {"directly": float(direct), "through 16 channels": float(through)}


def same_as_dense(trial: Trial) -> Measures:
    """A 1x1 convolution of 36 places against a dense layer at each of them."""
    import torch

    conv, x = nn.Conv2d(32, 8, 1), torch.randn(1, 32, 6, 6)
    at_each: Tensor = nn.functional.linear(x.flatten(2).transpose(1, 2), conv.weight.flatten(1), conv.bias)
    return {"largest difference": float((conv(x).flatten(2).transpose(1, 2) - at_each).detach().abs().max())}


STUDY = Study(
    claims=(
        "b-120",
        "b-factor",
        "c-factor",
        "c-bottleneck",
        "d-bottleneck",
        "g-1x1-cost",
        "g-1x1-fc",
        "b-1x1",
        "c-1x1",
        "d-1x1",
        "e-1x1",
    ),
    claim="A 1x1 bottleneck before a 5x5 convolution saves a factor of ten and does not hurt",
    setup="The notes' counts are computed. Then a small network with a 5x5 convolution of 24 to 24 channels, "
    "directly or through a bottleneck of 4, learns from 400 digits. And a 1x1 convolution is compared "
    "with a dense layer at every place.",
    arms={
        "directly": partial(trained, narrow=False),
        "through a bottleneck": partial(trained, narrow=True),
        "the notes' counts": counted,
        "1x1 against dense": same_as_dense,
    },
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            "120 million": exact(numbers, "directly", "the notes' counts", 120_422_400, tolerance=100),
            "12.4 million": exact(numbers, "through 16 channels", "the notes' counts", 12_443_648, tolerance=100),
            "a dense layer at each place": exact(numbers, "largest difference", "1x1 against dense", tolerance=1e-5),
            "does not hurt": no_worse(numbers, "test accuracy", "through a bottleneck", "directly", margin=0.02),
        }
    ),
    planted={
        HOLDS: {
            "directly": {"test accuracy": 0.96},
            "through a bottleneck": {"test accuracy": 0.955},
            "the notes' counts": {"directly": 120422400.0, "through 16 channels": 12443648.0},
            "1x1 against dense": {"largest difference": 0.0},
        },
        FAILS: {
            "directly": {"test accuracy": 0.96},
            "through a bottleneck": {"test accuracy": 0.85},
            "the notes' counts": {"directly": 1.0, "through 16 channels": 1.0},
            "1x1 against dense": {"largest difference": 1.0},
        },
    },
    literature="Szegedy et al. 2014, arXiv:1409.4842, sec. 4: GoogLeNet has 12 times fewer parameters than AlexNet "
    "and fewer errors. Lin et al. 2013, arXiv:1312.4400: 1x1 layers as networks in networks.",
    remark="The arithmetic is exact, and the saving is real: 9.7 times. That it does not hurt does not hold for "
    "this small network, where 24 channels go through 4 and the layer is the only one of its kind. The "
    "notes' example goes from 192 channels to 16, in a network with eight more such modules that can make "
    "up for it.",
    sources=(DIGITS,),
)
