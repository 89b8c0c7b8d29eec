"""How many layers to keep frozen, by the number of images of the new task."""

from functools import cache, partial

import torch
from torch import nn

from striate.studies.images import DIGITS, Images
from striate.studies.learn import accuracy, learn, outputs, recipe
from striate.studies.small import convnet
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, more

SIZES = (20, 160)
LAYERS = 8  # four convolutions, each with its ReLU


def part(images: Images, first: int) -> Images:
    """The digits of five classes, named 0 to 4."""

    def chosen(labels: torch.Tensor) -> torch.Tensor:
        return (labels >= first) & (labels < first + 5)

    train, test = chosen(images.train_labels), chosen(images.test_labels)
    return Images(
        images.train[train],
        images.train_labels[train] - first,
        images.test[test],
        images.test_labels[test] - first,
        images.mean,
        images.std,
    )


@cache
def old(trial: Trial) -> nn.Sequential:
    """A network that has learned to tell 0 to 4."""
    torch.manual_seed(trial.seed)
    net = convnet((12, 16, 16, 16), pools=(), classes=5, norm=False)
    learn(net, part(trial.images, 0), recipe(trial, 5))
    return net


def transferred(trial: Trial, frozen: int) -> Measures:
    """Learns to tell 5 to 9 from few images, with `frozen` convolutions kept as they are."""
    scores = []
    for size in SIZES:
        images = part(trial.images, 5).draw(size, trial.seed)
        net = convnet((12, 16, 16, 16), pools=(), classes=5, norm=False)
        if frozen >= 0:
            net[:LAYERS].load_state_dict(old(trial)[:LAYERS].state_dict())
        kept = net[: 2 * max(frozen, 0)].eval().requires_grad_(False)
        learned = net[2 * max(frozen, 0) :]
        given = images.changed(partial(outputs, kept)) if frozen > 0 else images
        learn(learned, given, recipe(trial, 20 if size < 100 else 5, lr=0.02, batch_size=20))
        scores.append(accuracy(learned, given.test, given.test_labels))
    return {"test accuracy": scores}


ARMS = {"new weights": -1, "old weights, none frozen": 0, "2 of 4 layers frozen": 2, "all 4 layers frozen": 4}
STUDY = Study(
    claims=(
        *("b-frozen", "b-depth", "b-init", "b-whole", "c-freeze", "c-init", "c-speed"),
        *("d-transfer", "e-transfer", "e-fine", "e-partial"),
    ),
    claim="Weights of another task help, most where images are few; with more images fewer layers should stay frozen",
    setup="A network learns to tell the digits 0 to 4. Its four convolutions are then taken for the digits 5 to "
    "9, of which there are 20 or 160 images: all frozen, half of them, or none, against a network with "
    "new weights. Frozen layers are computed once.",
    arms={name: partial(transferred, frozen=frozen) for name, frozen in ARMS.items()},
    figure=Lines("test accuracy", "images of the new task", tuple(map(str, SIZES))),
    rule=lambda numbers: all_of(
        {
            "20 images, frozen": more(numbers, "test accuracy", "all 4 layers frozen", "new weights", at=0),
            "20 images, as initial values": more(
                numbers, "test accuracy", "old weights, none frozen", "new weights", at=0
            ),
            "160 images, none frozen": more(
                numbers, "test accuracy", "old weights, none frozen", "all 4 layers frozen", at=1
            ),
            "20 images, all frozen": more(
                numbers, "test accuracy", "all 4 layers frozen", "old weights, none frozen", at=0
            ),
        }
    ),
    planted={
        HOLDS: {
            "new weights": {"test accuracy": [0.5, 0.9]},
            "old weights, none frozen": {"test accuracy": [0.6, 0.96]},
            "all 4 layers frozen": {"test accuracy": [0.7, 0.85]},
        },
        FAILS: {
            "new weights": {"test accuracy": [0.8, 0.97]},
            "old weights, none frozen": {"test accuracy": [0.75, 0.8]},
            "all 4 layers frozen": {"test accuracy": [0.5, 0.85]},
        },
    },
    literature="Yosinski et al. 2014, arXiv:1411.1792: early layers transfer to any task, late ones less; fine-tuned "
    "weights beat random ones even on many images. Kornblith, Shlens and Le 2018, arXiv:1805.08974; He, "
    "Girshick and Dollár 2018, arXiv:1811.08883: with enough steps, random weights catch up.",
    remark="Three seeds of so short trainings differ by more than the arms do, and the rule does not choose for "
    "us. `striate study frozen-depth --minutes 5` gives it ten seeds and longer trainings.",
    source=DIGITS,
    seeds=3,
)
