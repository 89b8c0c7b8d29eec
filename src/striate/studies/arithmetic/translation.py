"""Convolution moves with the image; pooling forgets small moves, and only small ones."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from striate.studies.images import DIGITS
from striate.studies.small import convnet
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, times

SHIFTS = (1, 2, 3, 4)


def shifted(x: Tensor, by: int) -> Tensor:
    return x.roll(by, dims=3)


def equivariant(trial: Trial) -> Measures:
    """Move, then convolve, against convolve, then move; the borders are left out."""
    image, conv = torch.randn(1, 1, 16, 16), nn.Conv2d(1, 4, 3, padding=1)
    inner = slice(5, 11)
    differences = [(conv(shifted(image, s)) - shifted(conv(image), s))[..., inner].abs().max().item() for s in SHIFTS]
    return {"largest difference": max(differences)}


def moved(trial: Trial, pools: int) -> Measures:
    """How much the maps of random filters change where a digit moves, beside how much they change for another digit."""
    torch.manual_seed(trial.seed)  # the same filters in every arm
    net = convnet((8, 8, 8), pools=range(pools), norm=False, head=False).eval()
    images = pad(trial.images.test[:200], (8, 8, 8, 8), value=float(trial.images.test.min()))  # (200, 1, 24, 24)
    with torch.inference_mode():
        maps = net(images).flatten(1)
        other = (maps - maps.roll(1, dims=0)).norm(dim=1)
        changes = [((net(shifted(images, s)).flatten(1) - maps).norm(dim=1) / other).mean().item() for s in SHIFTS]
    return {"change of the maps": changes}


ARMS = {f"{n} poolings" if n != 1 else "1 pooling": partial(moved, pools=n) for n in (0, 1, 2, 3)}
STUDY = Study(
    claims=("e-equivariant", "b-invariance", "b-pool"),
    claim="Convolution is equivariant to translation, and each pooling makes the maps forget a little more of a move",
    setup="Three 3x3 convolutions with random filters see a digit, and the digit moved by 1 to 4 pixels. The "
    "change of their maps is divided by the change that another digit makes, so 1 means that a move looks "
    "like another digit. Max pooling follows 0 to 3 of the convolutions.",
    arms={"convolution, then move, and the reverse": equivariant, **ARMS},
    figure=Lines("change of the maps", "pixels moved", tuple(map(str, SHIFTS))),
    rule=lambda numbers: all_of(
        {
            "equivariance": exact(
                numbers, "largest difference", "convolution, then move, and the reverse", tolerance=1e-5
            ),
            "1 pixel": times(numbers, "change of the maps", "0 poolings", "3 poolings", least=1.2, at=0),
            "4 pixels": times(numbers, "change of the maps", "0 poolings", "3 poolings", least=1.2, at=3),
        }
    ),
    planted={
        HOLDS: {
            "convolution, then move, and the reverse": {"largest difference": 1e-7},
            "0 poolings": {"change of the maps": [0.8, 1.0, 1.1, 1.2]},
            "3 poolings": {"change of the maps": [0.3, 0.5, 0.7, 0.8]},
        },
        FAILS: {
            "convolution, then move, and the reverse": {"largest difference": 0.5},
            "0 poolings": {"change of the maps": [0.3, 0.5, 0.7, 0.8]},
            "3 poolings": {"change of the maps": [0.8, 1.0, 1.1, 1.2]},
        },
    },
    literature="Azulay and Weiss 2018, arXiv:1805.12177: modern networks change their answer for moves of one pixel. "
    "Zhang 2019, arXiv:1904.11486: strided pooling samples too coarsely, and a blur before it mends much "
    "of that.",
    remark="Equivariance is exact. Of invariance untrained filters have little: moved by one pixel, a digit "
    "changes their maps as much as another digit does, with three poolings as without, and by four pixels "
    "pooling makes it worse, because its few outputs change as a whole. What invariance a trained network "
    "has, it has learned.",
    sources=(DIGITS,),
)
