"""Weights that begin at zero stay alike; small random numbers break the symmetry."""

from functools import partial

import torch
from torch import nn

from striate.nets.initialise import reinitialise
from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, inside, more


def trained(trial: Trial, initial: str) -> Measures:
    hidden = nn.Linear(64, 24)
    net = nn.Sequential(nn.Flatten(), hidden, nn.Sigmoid(), nn.Linear(24, 10))
    reinitialise(net, initial, trial.seed)
    images = trial.images.draw(400, trial.seed)
    learn(net, images, recipe(trial, 20, lr=0.3))
    weights = hidden.weight.detach()
    return {
        "largest difference between units": float((weights - weights[0]).abs().max()),
        "units that have learned": float(torch.linalg.matrix_rank(weights, rtol=1e-3)),
        "test accuracy": accuracy(net, images.test, images.test_labels),
    }


STUDY = Study(
    claims=("e-zeros", "e-random"),
    claim="Hidden units that begin with weights of zero all learn the same, and small random weights break that",
    setup="24 hidden units of sigmoid learn from 400 digits for 20 epochs, from weights of zero, or drawn with "
    "a standard deviation of 0.01. After training, the weights of each unit are compared with the "
    "first's.",
    arms={"zeros": partial(trained, initial="zeros"), "small random": partial(trained, initial="small_random")},
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            "zeros stay alike": exact(numbers, "largest difference between units", "zeros", tolerance=0.01),
            "random ones part": inside(numbers, "largest difference between units", "small random", low=0.01),
            "accuracy": more(numbers, "test accuracy", "small random", "zeros", least=0.05),
        }
    ),
    planted={
        HOLDS: {
            "zeros": {"largest difference between units": 0.0, "test accuracy": 0.2},
            "small random": {"largest difference between units": 1.5, "test accuracy": 0.9},
        },
        FAILS: {
            "zeros": {"largest difference between units": 1.0, "test accuracy": 0.9},
            "small random": {"largest difference between units": 1e-4, "test accuracy": 0.2},
        },
    },
    literature="Rumelhart, Hinton and Williams 1986, p. 330: equal weights never become unequal, so one begins with "
    "small random ones. Blumenfeld et al. 2020, arXiv:2007.01038: alike units can be parted by other "
    "noise, such as dropout.",
    remark="From zeros, 24 units are one unit 24 times: the matrix of their weights has rank 1. What such a "
    "network can still tell, it tells by a single number.",
    sources=(DIGITS,),
)
