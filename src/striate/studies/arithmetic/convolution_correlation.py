"""What networks call convolution is cross-correlation, which is not associative."""

import torch
from torch import Tensor

from striate.layers.convolution import convolve, cross_correlate
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, inside

TINY = 1e-10  # of doubles of size 1


def operands() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(12, 12).double(), torch.randn(3, 3).double(), torch.randn(5, 5).double()


def off(a: Tensor, b: Tensor) -> float:
    """The largest difference, beside the largest value."""
    return float((a - b).abs().max() / a.abs().max())


def associative(trial: Trial) -> Measures:
    a, b, c = operands()
    return {"largest relative difference": off(convolve(convolve(a, b), c), convolve(a, convolve(b, c)))}


def correlated(trial: Trial) -> Measures:
    a, b, c = operands()
    return {
        "largest relative difference": off(
            cross_correlate(cross_correlate(a, b), c), cross_correlate(a, cross_correlate(b, c))
        )
    }


def flipped(trial: Trial) -> Measures:
    """The notes' own example of a turned filter, and that a turned filter makes one of the other."""
    before = torch.tensor([[3.0, 4, 5], [1, 0, 2], [-1, 9, 7]])
    after = torch.tensor([[7.0, 9, -1], [2, 0, 1], [5, 4, 3]])
    image, filter_, _ = operands()
    alike = off(convolve(image, filter_), cross_correlate(image, filter_.rot90(2)))
    return {"largest relative difference": max(off(before.rot90(2), after), alike)}


STUDY = Study(
    claims=("b-correlation", "b-flip", "b-associative", "e-correlation"),
    claim="Convolution turns the filter and is associative; what networks compute does not, and is not",
    setup="Random images of 12 x 12 and filters of 3 x 3 and 5 x 5, in double precision, over all shifts. (A * "
    "B) * C is compared with A * (B * C), for convolution and for cross-correlation; and "
    "cross-correlation with a turned filter with convolution.",
    arms={
        "convolution: (A*B)*C against A*(B*C)": associative,
        "cross-correlation, the same": correlated,
        "a turned filter makes one of the other": flipped,
    },
    figure=Dots("largest relative difference", log=True),
    rule=lambda numbers: all_of(
        {
            "associative": exact(
                numbers, "largest relative difference", "convolution: (A*B)*C against A*(B*C)", tolerance=TINY
            ),
            "not associative": inside(numbers, "largest relative difference", "cross-correlation, the same", low=0.01),
            "turned": exact(
                numbers, "largest relative difference", "a turned filter makes one of the other", tolerance=TINY
            ),
        }
    ),
    planted={
        HOLDS: {
            "convolution: (A*B)*C against A*(B*C)": {"largest relative difference": 1e-16},
            "cross-correlation, the same": {"largest relative difference": 1.0},
            "a turned filter makes one of the other": {"largest relative difference": 0.0},
        },
        FAILS: {
            "convolution: (A*B)*C against A*(B*C)": {"largest relative difference": 0.5},
            "cross-correlation, the same": {"largest relative difference": 1e-16},
            "a turned filter makes one of the other": {"largest relative difference": 0.5},
        },
    },
    literature="Goodfellow, Bengio and Courville 2016, Deep Learning, sec. 9.1: libraries implement "
    "cross-correlation and call it convolution; a learned filter comes out turned, and nothing else "
    "changes.",
    remark="Convolution is a product of polynomials whose coefficients are the pixels, and products may be "
    "bracketed at will. Cross-correlation turns its second operand: bracketed one way C is turned once, the other "
    "way twice, which is not at all, and the results are as far apart as they are large. A network learns its "
    "filters, so it learns them turned, and nothing is lost; chains of filters that are designed by hand have to be "
    "turned with care.",
)
