"""Units of ReLU that begin below zero stay there; leaky ones come back."""

from functools import partial

import torch
from torch import nn

from striate.layers.activation import dead_units
from striate.studies.images import DIGITS
from striate.studies.learn import hits, learn, outputs, recipe
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, more

BIASES = (0.0, -1.5, -3.0, -6.0)


def trained(trial: Trial, activation: type[nn.Module]) -> Measures:
    dead, scores = [], []
    images = trial.images.draw(400, trial.seed)
    for bias in BIASES:
        hidden = nn.Linear(64, 48)
        nn.init.constant_(hidden.bias, bias)
        net = nn.Sequential(nn.Flatten(), hidden, activation(), nn.Linear(48, 10))
        learn(net, images, recipe(trial, 12))
        with torch.inference_mode():
            below = hidden(images.test.flatten(1)) < 0  # where ReLU gives nothing
            dead.append(float(dead_units((~below).float()).float().mean()))
        scores.append(hits(outputs(net, images.test), images.test_labels))
    return {"share of units below zero for every image": dead, "test accuracy": scores}


STUDY = Study(
    claims=("e-die", "e-leaky"),
    claim="ReLU units that begin below zero die, and leaky ones do not",
    setup="48 hidden units whose biases begin at 0, -1.5, -3 or -6 learn from 400 digits. A unit is dead if its "
    "input is below zero for every one of 597 test images, where ReLU has no gradient and leaky ReLU a "
    "small one.",
    arms={"ReLU": partial(trained, activation=nn.ReLU), "leaky ReLU": partial(trained, activation=nn.LeakyReLU)},
    figure=Lines("share of units below zero for every image", "initial bias", tuple(map(str, BIASES))),
    rule=lambda numbers: all_of(
        {
            "ReLU, from -6": inside(numbers, "share of units below zero for every image", "ReLU", low=0.5, at=3),
            "leaky ReLU, from -6": inside(
                numbers, "share of units below zero for every image", "leaky ReLU", high=0.5, at=3
            ),
            "accuracy, from -6": more(numbers, "test accuracy", "leaky ReLU", "ReLU", at=3),
        }
    ),
    planted={
        HOLDS: {
            "ReLU": {
                "share of units below zero for every image": [0.01, 0.01, 0.1, 0.95],
                "test accuracy": [0.9, 0.9, 0.8, 0.1],
            },
            "leaky ReLU": {
                "share of units below zero for every image": [0.01, 0.01, 0.01, 0.01],
                "test accuracy": [0.9] * 4,
            },
        },
        FAILS: {
            "ReLU": {"share of units below zero for every image": [0.01] * 4, "test accuracy": [0.91] * 4},
            "leaky ReLU": {"share of units below zero for every image": [0.9] * 4, "test accuracy": [0.9] * 4},
        },
    },
    literature="Maas, Hannun and Ng 2013: leaky rectifiers, which they found to change little in accuracy. Lu et al. "
    "2019, arXiv:1903.06733: a deep narrow ReLU network is born dead with a probability that tends to "
    "one.",
    source=DIGITS,
)
