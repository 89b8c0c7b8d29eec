"""What frozen layers give is computed once: the same answers, for a fraction of the arithmetic."""

from functools import partial

import torch
from torch import nn

from striate.inspect import inspect
from striate.nets import create
from striate.pretrained import pretrained
from striate.studies.images import Source
from striate.studies.learn import hits, learn, outputs, recipe
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, times

COUNT, EPOCHS = 60, 12
INSECTS = Source("hymenoptera", "photos of two classes, such as ants and bees", 96, channels=3, train=244, test=60)


def trained(trial: Trial, once: bool) -> Measures:
    """A linear layer on a frozen EfficientNet-Lite0; the multiplications are of its forward passes alone."""
    images, frozen = trial.images.draw(COUNT, trial.seed), pretrained("efficientnet_lite0.imagenet").net
    frozen.set_submodule("classifier", nn.Identity())
    frozen.eval().requires_grad_(False)
    head, settings = nn.Linear(1280, 2), recipe(trial, EPOCHS, lr=0.005, batch_size=20)
    if once:
        learn(head, images.changed(partial(outputs, frozen)), settings)
    else:
        learn(head, images, settings, change=lambda shown, rows, epoch: frozen(shown))
    with torch.device("meta"):
        a_pass = inspect(create("efficientnet_lite0"), (3, INSECTS.size, INSECTS.size)).macs * COUNT
    scores = outputs(head, outputs(frozen, images.test))
    return {
        "multiplications": float(a_pass * (1 if once else settings.epochs)),
        "answers": scores.softmax(dim=1)[:, 0].tolist(),
        "test accuracy": hits(scores, images.test_labels),
    }


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
    setup="A linear layer learns from 60 photos of ants and bees, 96x96 pixels, for 12 epochs, on EfficientNet-Lite0 "
    "with the ImageNet weights that striate brings, all of it frozen: its outputs are computed in each step, or once "
    "before. The same seeds give the same steps. The answers to 60 other photos are compared.",
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
    remark="A frozen layer in evaluation mode gives the same for the same image, whenever it is asked and whatever "
    "else is in the batch. So the linear layer gets the same numbers in either way, and learns the same, for "
    "a twelfth of the multiplications. It needs images that stay as they are: with augmentation each view of "
    "an image has to be computed by itself.",
    sources=(INSECTS,),
    chance=False,
    seeds=3,
)
