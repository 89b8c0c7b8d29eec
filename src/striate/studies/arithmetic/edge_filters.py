"""The notes' 6x6 examples of edges, digit for digit."""

import numpy as np
from numpy.typing import ArrayLike

from striate.explain.filters import Filter, kernel
from striate.studies.study import Maps, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact

STEP = [[10] * 3 + [0] * 3] * 6  # bright on the left, dark on the right
QUARTERS = [[10] * 3 + [0] * 3] * 3 + [[0] * 3 + [10] * 3] * 3
NUMBERS = [
    [3, 0, 1, 2, 7, 4],
    [1, 5, 8, 9, 3, 1],
    [2, 7, 2, 5, 1, 3],
    [0, 1, 3, 1, 7, 8],
    [4, 2, 1, 6, 2, 8],
    [2, 4, 5, 2, 3, 9],
]
EXPECTED = {  # the figures of the notes: week1pic1 to week1pic4
    "vertical, of numbers": [[-5, -4, 0, 8], [-10, -2, 2, 3], [0, -2, -4, -7], [-3, -2, -3, -16]],
    "vertical, bright to dark": [[0, 30, 30, 0]] * 4,
    "vertical, dark to bright": [[0, -30, -30, 0]] * 4,
    "horizontal, four quarters": [[0] * 4, [30, 10, -10, -30], [30, 10, -10, -30], [0] * 4],
}


def compared(name: str, image: ArrayLike, expected: str) -> Measures:
    found = Filter(kernel(name))(image)
    error = float(np.abs(found - np.asarray(EXPECTED[expected])).max())
    return {"output": found.ravel().tolist(), "largest error": error}


def wide(trial: Trial) -> Measures:
    """The same edge in an image of 1000 x 1000: what share of the output answers to it?"""
    image = np.zeros((1000, 1000))
    image[:, :500] = 10
    return {"share of the output": float((Filter(kernel("vertical"))(image) != 0).mean())}


STUDY = Study(
    claims=("b-vertical", "b-horizontal", "b-sign", "b-blend", "b-thick", "b-transition"),
    claim="The notes' edge filters give the notes' numbers, and the edge is thick only because the image is small",
    setup="The four examples that the notes draw are computed with `striate.explain.filters` and compared with "
    "the drawn outputs, digit for digit. Then the edge between a bright and a dark half is looked for in "
    "an image of 1000 x 1000.",
    arms={
        "vertical, of numbers": lambda trial: compared("vertical", NUMBERS, "vertical, of numbers"),
        "vertical, bright to dark": lambda trial: compared("vertical", STEP, "vertical, bright to dark"),
        "vertical, dark to bright": lambda trial: compared("vertical", np.fliplr(STEP), "vertical, dark to bright"),
        "horizontal, four quarters": lambda trial: compared("horizontal", QUARTERS, "horizontal, four quarters"),
        "vertical, 1000 x 1000": wide,
    },
    figure=Maps("output", columns=4),
    rule=lambda numbers: all_of(
        {"": exact(numbers, "share of the output", "vertical, 1000 x 1000", 2 / 998, tolerance=1e-6)}
        | {name: exact(numbers, "largest error", name, name="largest error") for name in EXPECTED}
    ),
    planted={
        HOLDS: {name: {"largest error": 0.0} for name in EXPECTED}
        | {"vertical, 1000 x 1000": {"share of the output": 2 / 998}},
        FAILS: {name: {"largest error": 5.0} for name in EXPECTED}
        | {"vertical, 1000 x 1000": {"share of the output": 0.5}},
    },
    literature="The examples are Andrew Ng's, from the course that the notes follow. A difference of neighbours as "
    "an edge detector is older than networks: Prewitt 1970, Sobel and Feldman 1968.",
    remark="Two columns of 30 in four are half of the output; in an image of 1000 pixels they are 2 in 998. The "
    "10s between 30 and -30, where the filter lies half on one edge and half on the other, thin out in "
    "the same way.",
    seeds=1,
    chance=False,
)
