"""Maps that shrink too quickly lose accuracy."""

from functools import partial

import torch

from striate.inspect import inspect
from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, more


def trained(trial: Trial, pools: tuple[int, ...]) -> Measures:
    images, net = trial.images.draw(400, trial.seed), convnet((12,) * 5, pools=pools)
    with torch.device("meta"):
        cost = inspect(convnet((12,) * 5, pools=pools), (1, 8, 8)).activations
    learn(net, images, recipe(trial, 36))
    return {"test accuracy": accuracy(net, images.test, images.test_labels), "activations": float(cost)}


STUDY = Study(
    claims=("b-too-quickly",),
    claim="A network whose maps shrink too quickly is less accurate than one whose maps shrink gradually",
    setup="Five convolutions of 12 channels, with the same parameters, learn from 400 digits. Two or three "
    "poolings of 2x2 come late, one after another, or as soon as they can, so that the last layers see "
    "2x2 or single pixels.",
    arms={
        "8 8 4 4 2": partial(trained, pools=(1, 3)),
        "8 4 2 2 2": partial(trained, pools=(0, 1)),
        "8 4 2 1 1": partial(trained, pools=(0, 1, 2)),
    },
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            "to 2 pixels at once": more(numbers, "test accuracy", "8 8 4 4 2", "8 4 2 2 2", least=0.005),
            "to 1 pixel at once": more(numbers, "test accuracy", "8 8 4 4 2", "8 4 2 1 1", least=0.005),
        }
    ),
    planted={
        HOLDS: {
            name: {"test accuracy": a}
            for name, a in zip(("8 8 4 4 2", "8 4 2 2 2", "8 4 2 1 1"), (0.96, 0.9, 0.8), strict=True)
        },
        FAILS: {
            name: {"test accuracy": a}
            for name, a in zip(("8 8 4 4 2", "8 4 2 2 2", "8 4 2 1 1"), (0.8, 0.9, 0.96), strict=True)
        },
    },
    literature="Szegedy et al. 2015, arXiv:1512.00567, sec. 2, principle 1: avoid representational bottlenecks, "
    "especially early. Iandola et al. 2016, arXiv:1602.07360: downsample late, so that layers have large "
    "maps.",
    remark="Down to single pixels after three layers costs a little over a point, and on a map of one pixel a "
    "3x3 convolution uses one of its nine weights. Down to 2x2 after two layers costs half a point on "
    "average, which the seeds do not tell from nothing: it saves two fifths of the activations and is "
    "nearly free on digits of 8 x 8.",
    sources=(DIGITS,),
    seeds=6,
)
