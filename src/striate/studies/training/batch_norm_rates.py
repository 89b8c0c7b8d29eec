"""The learning rates at which training still works, with and without batch norm."""

from functools import partial

from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import convnet
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, more

RATES = (0.003, 0.03, 0.3, 3.0)


def trained(trial: Trial, norm: bool) -> Measures:
    images, scores = trial.images.draw(400, trial.seed), []
    for rate in RATES:
        net = convnet((12, 16, 24), pools=(0, 1), norm=norm)
        learn(net, images, recipe(trial, 7, lr=rate))
        scores.append(accuracy(net, images.test, images.test_labels))
    return {"test accuracy": scores, "rates that reach 80 %": float(sum(score >= 0.8 for score in scores))}


STUDY = Study(
    claims=("e-bn",),
    claim="With batch norm training works at learning rates at which it fails without",
    setup="Three convolutions learn from 400 digits for 7 epochs, at four learning rates, each ten times the "
    "one before, with and without batch norm after each convolution.",
    arms={"batch norm": partial(trained, norm=True), "none": partial(trained, norm=False)},
    figure=Lines("test accuracy", "learning rate", tuple(map(str, RATES))),
    rule=lambda numbers: all_of(
        {
            "rate 0.3": more(numbers, "test accuracy", "batch norm", "none", at=2),
            "rate 0.3 with batch norm": inside(numbers, "test accuracy", "batch norm", low=0.8, at=2),
            "rates that work": more(numbers, "rates that reach 80 %", "batch norm", "none", least=0.5),
        }
    ),
    planted={
        HOLDS: {
            "batch norm": {"test accuracy": [0.8, 0.95, 0.95, 0.9], "rates that reach 80 %": 4.0},
            "none": {"test accuracy": [0.8, 0.9, 0.1, 0.1], "rates that reach 80 %": 2.0},
        },
        FAILS: {
            "batch norm": {"test accuracy": [0.8, 0.9, 0.1, 0.1], "rates that reach 80 %": 2.0},
            "none": {"test accuracy": [0.8, 0.95, 0.95, 0.9], "rates that reach 80 %": 4.0},
        },
    },
    literature="Ioffe and Szegedy 2015, arXiv:1502.03167, sec. 4.2.1: Inception at 30 times the rate. Santurkar et "
    "al. 2018, arXiv:1805.11604: not because of covariate shift, but because the loss becomes smoother. "
    "Bjorck et al. 2018, arXiv:1806.02375.",
    remark="With batch norm the network reaches 80 % at two of the four rates in these 7 epochs, the larger a "
    "hundred times the smallest tried; without it at none. At 3.0 both begin to fail.",
    sources=(DIGITS,),
)
