"""Dropout against overfitting, in a dense layer that has too many weights for the images."""

from functools import partial

from torch import nn

from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside

SHARES = (0.0, 0.25, 0.5, 0.75)


def trained(trial: Trial, count: int) -> Measures:
    images, tests, gaps = trial.images.draw(count, trial.seed), [], []
    for share in SHARES:
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Dropout(share), nn.Linear(128, 10))
        learn(net, images, recipe(trial, 1500 // count, batch_size=25))
        tests.append(accuracy(net, images.test, images.test_labels))
        gaps.append(accuracy(net, images.train, images.train_labels) - tests[-1])
    return {
        "test accuracy": tests,
        "gain of half": tests[2] - tests[0],
        "overfitting, without": gaps[0],
        "overfitting, with half": gaps[2],
    }


STUDY = Study(
    claims=("e-dropout",),
    claim="Dropout makes a network overfit less",
    setup="128 hidden units learn from 60 or from 600 digits for as many steps, with none, a quarter, a half or "
    "three quarters of them dropped in each step. Overfitting is the accuracy on training images less "
    "that on test images.",
    arms={"60 digits": partial(trained, count=60), "600 digits": partial(trained, count=600)},
    figure=Lines("test accuracy", "share dropped", tuple(map(str, SHARES))),
    rule=lambda numbers: all_of(
        {
            name: inside(numbers, "gain of half", name, low=0.0, name="accuracy with half dropped, less with none")
            for name in ("60 digits", "600 digits")
        }
    ),
    planted={
        HOLDS: {name: {"gain of half": 0.03} for name in ("60 digits", "600 digits")},
        FAILS: {name: {"gain of half": -0.02} for name in ("60 digits", "600 digits")},
    },
    literature="Srivastava et al. 2014, Dropout: A simple way to prevent neural networks from overfitting: it helped "
    "on every one of their data sets, but not where there were only 100 or 500 images. Hinton et al. 2012, "
    "arXiv:1207.0580.",
    remark="With half of the units dropped, test accuracy changes by less than the seeds do. On 60 digits both "
    "networks answer every training image right, so what dropout takes from the fit it would have to give "
    "back in test accuracy; these runs are too short for it. The seeds leave open both a small gain and a "
    "small loss.",
    source=DIGITS,
    seeds=6,
)
