"""Shortcuts where shapes differ: zeros, a projection, or projections everywhere."""

from functools import partial

from torch import nn

from striate.nets.resnet import BasicBlock, conv, stage
from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, parameters, recipe
from striate.studies.small import Pooled
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, no_worse


def trained(trial: Trial, option: str) -> Measures:
    images = trial.images.draw(400, trial.seed)
    block = partial(BasicBlock, option=option)
    stages = (stage(block, 8, 8, 2, 1), stage(block, 8, 16, 2, 2), stage(block, 16, 32, 2, 2))
    net = nn.Sequential(conv(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), *stages, Pooled(), nn.Linear(32, 10))
    learn(net, images, recipe(trial, 24))
    return {"test accuracy": accuracy(net, images.test, images.test_labels), "parameters": float(parameters(net))}


STUDY = Study(
    claims=("g-shortcut", "b-ws"),
    claim="Where shapes differ, a fixed shortcut of zero padding does as well as a learned projection",
    setup="Networks of 14 layers with 8, 16 and 32 channels learn from 400 digits. Shortcuts are zero-padded "
    "where shapes differ (A), projected there (B), or projected everywhere (C).",
    arms={
        "A, zeros": partial(trained, option="A"),
        "B, projection where shapes differ": partial(trained, option="B"),
        "C, projection everywhere": partial(trained, option="C"),
    },
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            "A and B": no_worse(numbers, "test accuracy", "A, zeros", "B, projection where shapes differ", margin=0.02),
            "A and C": no_worse(numbers, "test accuracy", "A, zeros", "C, projection everywhere", margin=0.02),
        }
    ),
    planted={
        HOLDS: {
            "A, zeros": {"test accuracy": 0.95},
            "B, projection where shapes differ": {"test accuracy": 0.955},
            "C, projection everywhere": {"test accuracy": 0.952},
        },
        FAILS: {
            "A, zeros": {"test accuracy": 0.85},
            "B, projection where shapes differ": {"test accuracy": 0.955},
            "C, projection everywhere": {"test accuracy": 0.952},
        },
    },
    literature="He et al. 2015, arXiv:1512.03385, table 3, ResNet-34 on ImageNet: B is slightly better than A and C "
    "than B, and all of them are far better than no shortcut. The paper calls projections not essential.",
    remark="Zeros are as good as projections here, on average within a point of either, with 736 and 2,272 "
    "parameters fewer. Six blocks on small digits have little need of a shortcut that learns; on ImageNet "
    "the paper finds projections better by a little.",
    sources=(DIGITS,),
    seeds=6,
)
