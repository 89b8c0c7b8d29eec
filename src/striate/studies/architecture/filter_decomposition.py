"""Two 3x3 for one 5x5, and 1x3 with 3x1 for 3x3: fewer parameters, as good."""

from functools import partial

from torch import nn

from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, parameters, recipe
from striate.studies.small import Pooled
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, no_worse, times

WIDTH = 16


def layer(size: tuple[int, int]) -> list[nn.Module]:
    padding = (size[0] // 2, size[1] // 2)
    return [nn.Conv2d(WIDTH, WIDTH, size, padding=padding, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]


def trained(trial: Trial, sizes: tuple[tuple[int, int], ...]) -> Measures:
    images = trial.images.draw(400, trial.seed)
    stem = [nn.Conv2d(1, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.MaxPool2d(2)]
    middle = nn.Sequential(*(module for size in sizes for module in layer(size)))
    net = nn.Sequential(*stem, middle, Pooled(), nn.Linear(WIDTH, 10))
    learn(net, images, recipe(trial, 36))
    return {"test accuracy": accuracy(net, images.test, images.test_labels), "parameters": float(parameters(middle))}


STUDY = Study(
    claims=("e-5x5", "e-1x3"),
    claim="Two 3x3 layers do what one 5x5 does, and 1x3 with 3x1 what 3x3 does, for fewer parameters",
    setup="A small network with one middle layer, or the two that replace it, learns from 400 digits. Each of "
    "the two has batch norm and ReLU, as in Inception v3.",
    arms={
        "5x5": partial(trained, sizes=((5, 5),)),
        "3x3, 3x3": partial(trained, sizes=((3, 3), (3, 3))),
        "3x3": partial(trained, sizes=((3, 3),)),
        "1x3, 3x1": partial(trained, sizes=((1, 3), (3, 1))),
    },
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            "two 3x3": no_worse(numbers, "test accuracy", "3x3, 3x3", "5x5", margin=0.02),
            "1x3 and 3x1": no_worse(numbers, "test accuracy", "1x3, 3x1", "3x3", margin=0.02),
        },
        {
            "parameters of two 3x3": times(numbers, "parameters", "5x5", "3x3, 3x3", least=1.3),
            "parameters of 1x3 and 3x1": times(numbers, "parameters", "3x3", "1x3, 3x1", least=1.3),
        },
    ),
    planted={
        HOLDS: {
            "5x5": {"test accuracy": 0.95, "parameters": 6400.0},
            "3x3, 3x3": {"test accuracy": 0.955, "parameters": 4600.0},
            "3x3": {"test accuracy": 0.95, "parameters": 2300.0},
            "1x3, 3x1": {"test accuracy": 0.951, "parameters": 1500.0},
        },
        FAILS: {
            "5x5": {"test accuracy": 0.95, "parameters": 6400.0},
            "3x3, 3x3": {"test accuracy": 0.85, "parameters": 6400.0},
            "3x3": {"test accuracy": 0.95, "parameters": 2300.0},
            "1x3, 3x1": {"test accuracy": 0.85, "parameters": 2300.0},
        },
    },
    literature="Szegedy et al. 2015, arXiv:1512.00567, sec. 3: two 3x3 have 28 % fewer parameters than a 5x5, 1x3 with"
    " 3x1 33 % fewer than a 3x3; 1xn with nx1 does not work well in early layers, and very well on maps of "
    "12 to 20 pixels across. Simonyan and Zisserman 2014, arXiv:1409.1556, sec. 2.3: stacks of 3x3.",
    remark="Two 3x3 layers are as good as the 5x5 with 27 % fewer parameters. 1x3 with 3x1 has 31 % fewer than "
    "3x3 and loses under a point on average, but three in one seed, so that the seeds do not exclude a "
    "loss of two points. Its maps have 4x4 pixels and it is the second layer; Szegedy et al. recommend it "
    "for maps of 12 to 20, and not early.",
    sources=(DIGITS,),
    seeds=6,
)
