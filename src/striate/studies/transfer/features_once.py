"""What frozen layers give is computed once: the same answers, for a fraction of the arithmetic."""

from functools import partial

import torch

from striate.inspect import inspect
from striate.studies.images import DIGITS
from striate.studies.learn import learn, outputs, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, times

COUNT, EPOCHS = 200, 20


def trained(trial: Trial, once: bool) -> Measures:
    """A head on three frozen convolutions; the multiplications are of forward passes alone."""
    images, net = trial.images.draw(COUNT, trial.seed), convnet((12, 16, 16), pools=(0,))
    frozen, head = net[:-1].eval().requires_grad_(False), net[-1]
    settings = recipe(trial, EPOCHS, lr=0.1)
    if once:
        learn(head, images.changed(partial(outputs, frozen)), settings)
    else:
        learn(head, images, settings, change=lambda shown, rows, epoch: frozen(shown))
    with torch.device("meta"):
        a_pass = inspect(convnet((12, 16, 16), pools=(0,))[:-1], (1, 8, 8)).macs * COUNT
    macs = a_pass * (1 if once else EPOCHS)
    with torch.inference_mode():
        answers = head(frozen(images.test)).softmax(dim=1)
    return {"multiplications": float(macs), "answers": answers[:4].flatten().tolist()}


def differences(trial: Trial) -> Measures:
    """Both ways from the same seed, compared in their answers."""
    both = []
    for once in (True, False):
        torch.manual_seed(trial.seed)
        both.append(trained(trial, once)["answers"])
    return {"largest difference of the answers": float((torch.tensor(both[0]) - torch.tensor(both[1])).abs().max())}


STUDY = Study(
    claims=("b-precompute",),
    claim="Features of frozen layers, computed once, give the same model for a fraction of the arithmetic",
    setup="A linear layer learns on three frozen convolutions from 200 digits for 20 epochs: their outputs "
    "computed in each step, or once before. The same seeds give the same steps.",
    arms={
        "in each step": partial(trained, once=False),
        "once": partial(trained, once=True),
        "compared": differences,
    },
    figure=Dots("multiplications", log=True),
    rule=lambda numbers: all_of(
        {
            "the same answers": exact(numbers, "largest difference of the answers", "compared", tolerance=1e-3),
            "less arithmetic": times(numbers, "multiplications", "in each step", "once", least=10),
        }
    ),
    planted={
        HOLDS: {
            "in each step": {"multiplications": 2e7},
            "once": {"multiplications": 1e6},
            "compared": {"largest difference of the answers": 1e-6},
        },
        FAILS: {
            "in each step": {"multiplications": 2e6},
            "once": {"multiplications": 1e6},
            "compared": {"largest difference of the answers": 0.3},
        },
    },
    literature="Donahue et al. 2013, arXiv:1310.1531 (DeCAF): features of a trained network, kept and used for other "
    "tasks. `striate train --freeze` does so, see docs/decisions/features.md for what it saves in time.",
    source=DIGITS,
    chance=False,
    seeds=3,
)
