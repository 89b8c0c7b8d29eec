"""Units of ReLU that begin below zero stay there; leaky ones come back."""

from functools import partial

from torch import nn

from striate.studies.images import DIGITS
from striate.studies.learn import hits, learn, outputs, recipe
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, more

BIASES = (0.0, -3.0, -6.0)


def trained(trial: Trial, activation: type[nn.Module]) -> Measures:
    dead, scores = [], []
    images = trial.images.draw(400, trial.seed)
    for bias in BIASES:
        hidden = nn.Linear(64, 48)
        nn.init.constant_(hidden.bias, bias)
        before = hidden.weight.detach().clone()
        net = nn.Sequential(nn.Flatten(), hidden, activation(), nn.Linear(48, 10))
        learn(net, images, recipe(trial, 12))
        dead.append(float((hidden.weight == before).all(dim=1).float().mean()))
        scores.append(hits(outputs(net, images.test), images.test_labels))
    return {"share of units that never learned": dead, "test accuracy": scores}


STUDY = Study(
    claims=("e-die", "e-leaky"),
    claim="ReLU units that begin below zero die, and leaky ones do not",
    setup="48 hidden units whose biases begin at 0, -3 or -6 learn from 400 digits for 12 epochs. A unit is "
    "dead if its weights are after training what they were before it: no image ever gave it a gradient.",
    arms={"ReLU": partial(trained, activation=nn.ReLU), "leaky ReLU": partial(trained, activation=nn.LeakyReLU)},
    figure=Lines("share of units that never learned", "initial bias", tuple(map(str, BIASES))),
    rule=lambda numbers: all_of(
        {
            "ReLU, from -6": inside(numbers, "share of units that never learned", "ReLU", low=0.5, at=2),
            "leaky ReLU, from -6": inside(numbers, "share of units that never learned", "leaky ReLU", high=0.5, at=2),
            "accuracy, from -6": more(numbers, "test accuracy", "leaky ReLU", "ReLU", at=2),
        }
    ),
    planted={
        HOLDS: {
            "ReLU": {
                "share of units that never learned": [0.01, 0.1, 0.95],
                "test accuracy": [0.9, 0.8, 0.1],
            },
            "leaky ReLU": {
                "share of units that never learned": [0.01, 0.01, 0.01],
                "test accuracy": [0.9] * 3,
            },
        },
        FAILS: {
            "ReLU": {"share of units that never learned": [0.01] * 3, "test accuracy": [0.91] * 3},
            "leaky ReLU": {"share of units that never learned": [0.9] * 3, "test accuracy": [0.9] * 3},
        },
    },
    literature="Maas, Hannun and Ng 2013: leaky rectifiers, which they found to change little in accuracy. Lu et al. "
    "2019, arXiv:1903.06733: a deep narrow ReLU network is born dead with a probability that tends to "
    "one.",
    remark="Every ReLU unit that began at -6 kept its weights to the last digit, and every leaky one moved. But "
    "to move is not to come back: with a slope of 0.01 the gradient is a hundredth, and in 12 epochs "
    "leaky units far below zero were no more use than dead ones.",
    sources=(DIGITS,),
    seeds=3,
)
