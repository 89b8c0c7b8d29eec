"""Local response normalisation makes little difference; batch norm makes a large one."""

from functools import partial

from torch import Tensor, nn

from striate.layers.lrn import local_response_norm
from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, parameters, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, more, no_worse


class Normalised(nn.Module):
    """ReLU, then local response normalisation with the paper's constants, but k = 1: it begins near the identity."""

    def forward(self, x: Tensor) -> Tensor:
        return local_response_norm(x.relu(), k=1.0)


def trained(trial: Trial, activation: type[nn.Module] = nn.ReLU, norm: bool = False) -> Measures:
    images = trial.images.draw(400, trial.seed)
    net = convnet((12, 16, 24), pools=(0, 1), norm=norm, activation=activation)
    losses = learn(net, images, recipe(trial, 32, lr=0.03))
    learned = parameters(net) - parameters(convnet((12, 16, 24), norm=norm))
    return {
        "test accuracy": accuracy(net, images.test, images.test_labels),
        "training loss": losses[-1],
        "parameters more": float(learned),
    }


STUDY = Study(
    claims=("b-lrn", "c-lrn", "d-lrn"),
    claim="Local response normalisation can be left out: it changes little, and it has no parameters",
    setup="Three convolutions learn from 400 digits: as they are, with local response normalisation after each "
    "ReLU (Krizhevsky's constants, but k = 1 for 2, to begin near the identity), and with batch norm.",
    arms={
        "none": trained,
        "local response normalisation": partial(trained, activation=Normalised),
        "batch norm": partial(trained, norm=True),
    },
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            "without it": no_worse(numbers, "test accuracy", "none", "local response normalisation", margin=0.01),
            "batch norm's training loss": more(numbers, "training loss", "none", "batch norm", least=0.01),
        },
        {"it normalises activations": exact(numbers, "parameters more", "local response normalisation")},
    ),
    planted={
        HOLDS: {
            "none": {"test accuracy": 0.94, "training loss": 0.3},
            "local response normalisation": {"test accuracy": 0.941, "parameters more": 0.0},
            "batch norm": {"training loss": 0.1},
        },
        FAILS: {
            "none": {"test accuracy": 0.85, "training loss": 0.1},
            "local response normalisation": {"test accuracy": 0.941, "parameters more": 9.0},
            "batch norm": {"training loss": 0.3},
        },
    },
    literature="Krizhevsky et al. 2012, sec. 3.3: it lowers top-1 error by 1.4 points. Simonyan and Zisserman 2014, "
    "arXiv:1409.1556, table 3: no improvement (A-LRN against A), and more memory and time.",
    remark="Local response normalisation changes nothing to speak of, a third of a point at most: with "
    "Krizhevsky's factor of 0.0001 and activations of about one it divides by nearly one. Batch norm adds "
    "two points or more of test accuracy in every seed. That its training loss is lower does not show "
    "clearly, because after 32 epochs all three networks are below 0.07.",
    sources=(DIGITS,),
    seeds=6,
)
