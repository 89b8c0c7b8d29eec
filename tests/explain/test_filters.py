from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.errors import SizeError, UsageError
from striate.explain.filters import Filter, kernel, read_kernel, shown
from striate.layers.convolution import convolve, cross_correlate

PHOTOS = Path(__file__).parents[2].parent / "shared" / "data" / "hymenoptera" / "val"
LEFT_BRIGHT = np.tile([10, 10, 10, 0, 0, 0], (6, 1))
COURSE = np.array(  # the six by six image of the course, whose output it gives in full
    [
        [3, 0, 1, 2, 7, 4],
        [1, 5, 8, 9, 3, 1],
        [2, 7, 2, 5, 1, 3],
        [0, 1, 3, 1, 7, 8],
        [4, 2, 1, 6, 2, 8],
        [2, 4, 5, 2, 3, 9],
    ]
)
CHECKERED = np.block([[np.full((3, 3), 10), np.zeros((3, 3))], [np.zeros((3, 3)), np.full((3, 3), 10)]])

# The course's figures


def test_the_course_example_digit_for_digit() -> None:
    expected = [[-5, -4, 0, 8], [-10, -2, 2, 3], [0, -2, -4, -7], [-3, -2, -3, -16]]
    assert Filter(kernel("vertical"))(COURSE).tolist() == expected


def test_a_vertical_edge_is_two_columns_of_30() -> None:
    assert Filter(kernel("vertical"))(LEFT_BRIGHT).tolist() == [[0, 30, 30, 0]] * 4
    assert Filter(kernel("vertical"))(LEFT_BRIGHT[:, ::-1]).tolist() == [[0, -30, -30, 0]] * 4
    assert Filter(kernel("vertical"), absolute=True)(LEFT_BRIGHT[:, ::-1]).tolist() == [[0, 30, 30, 0]] * 4


def test_horizontal_edges_and_the_values_between_them() -> None:
    between = [30, 10, -10, -30]
    assert Filter(kernel("horizontal"))(CHECKERED).tolist() == [[0] * 4, between, between, [0] * 4]


def test_the_turned_filter_of_the_course() -> None:
    taps = np.array([[3.0, 4, 5], [1, 0, 2], [-1, 9, 7]])
    assert Filter(taps, convolution=True).taps[0].tolist() == [[7, 9, -1], [2, 0, 1], [5, 4, 3]]


def test_the_filters_of_the_course() -> None:
    assert kernel("sobel").tolist() == [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    assert kernel("scharr").tolist() == [[3, 0, -3], [10, 0, -10], [3, 0, -3]]


def test_a_stride_of_two_on_seven_gives_three() -> None:
    assert Filter(kernel(), stride=2)(np.zeros((7, 7))).shape == (3, 3)


def test_red_edges_alone() -> None:
    image = np.zeros((6, 6, 3))
    image[:, :, 0], image[:, :, 1] = LEFT_BRIGHT, LEFT_BRIGHT[:, ::-1]
    red = np.stack([kernel(), np.zeros((3, 3)), np.zeros((3, 3))])
    assert Filter(red)(image).tolist() == [[0, 30, 30, 0]] * 4
    every = np.stack([kernel()] * 3)
    assert Filter(every)(image).tolist() == [[0] * 4] * 4  # red to dark and dark to green cancel


# The arithmetic of one value


def test_the_steps_of_one_value() -> None:
    assert Filter(kernel()).steps(COURSE, 0, 0).splitlines() == [
        "output[0, 0]: the filter lies on rows 0 to 2 and columns 0 to 2 of the image",
        "",
        "  3  0  1        1   0  -1        3   0  -1",
        "  1  5  8   *    1   0  -1   =    1   0  -8",
        "  2  7  2        1   0  -1        2   0  -2",
        "",
        "3·1 + 1·1 + 2·1 + 0·0 + 5·0 + 7·0 + 1·(-1) + 8·(-1) + 2·(-1) = -5",
    ]


def test_the_steps_in_the_padding_of_a_turned_absolute_filter() -> None:
    used = Filter(kernel("sobel"), 2, "same", convolution=True, absolute=True)
    text = used.steps(COURSE, 2, 2)
    assert "rows 4 to 6 and columns 4 to 6 of the image; outside it the padding holds zeros" in text
    assert "a convolution turns the filter by 180 degrees first" in text
    assert text.endswith("|-8| = 8")
    assert used(COURSE)[2, 2] == 8


def test_the_steps_over_three_channels_add_up() -> None:
    image = np.stack([COURSE] * 3, axis=2)
    text = Filter(np.stack([kernel(), 2 * kernel(), 0 * kernel()])).steps(image, 3, 3)
    assert "channel 2" in text
    assert text.endswith("(-16) + (-32) + 0 = -48")


def test_a_place_that_the_output_does_not_have() -> None:
    with pytest.raises(SizeError) as caught:
        Filter(kernel()).steps(COURSE, 4, 0)
    assert str(caught.value) == ("`steps`: expected a row under 4 and a column under 4, those of the output; got 4,0.")


# Agreement with others


@given(st.data())
def test_agrees_with_pytorch(data: st.DataObject) -> None:
    size = data.draw(st.tuples(*[st.integers(1, 9)] * 2))
    taps = data.draw(st.tuples(*[st.integers(1, 5)] * 2))
    stride, padding = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    image, weights = rng.normal(size=(*size, 3)), rng.normal(size=(3, *taps))
    used = Filter(weights, stride, padding)
    if min(n + 2 * padding - f for n, f in zip(size, taps, strict=True)) < 0:
        with pytest.raises(SizeError):
            used(image)
        return
    planes = torch.from_numpy(image).permute(2, 0, 1)[None]
    expected = torch.nn.functional.conv2d(planes, torch.from_numpy(weights)[None], stride=stride, padding=padding)
    assert np.allclose(used(image), expected[0, 0])
    assert used.output_size(*size) == used(image).shape


def test_convolution_and_correlation_are_those_of_the_layers() -> None:
    rng = np.random.default_rng(0)
    image, taps = torch.from_numpy(rng.normal(size=(7, 8))), torch.from_numpy(rng.normal(size=(3, 3)))
    for turn, other in ((False, cross_correlate), (True, convolve)):
        assert np.allclose(Filter(taps.numpy(), convolution=turn)(image), other(image, taps, "valid"))


@pytest.mark.parametrize(("name", "scale"), [("vertical", 3), ("sobel", 4), ("scharr", 16)])
@pytest.mark.parametrize("photo", ["ants/10308379_1b6c72e180.jpg", "bees/1032546534_06907fe3b3.jpg"])
def test_agrees_with_scikit_image_on_photos(name: str, scale: float, photo: str) -> None:
    theirs: Any = pytest.importorskip("skimage.filters", reason="scikit-image is not installed")
    if not (PHOTOS / photo).exists():
        pytest.skip("../shared/data/hymenoptera is not there")
    grey = np.asarray(Image.open(PHOTOS / photo).convert("L"), np.float64)
    of = {"vertical": "prewitt"}.get(name, name)
    for angle, way in ((0, "v"), (90, "h")):
        ours = Filter(kernel(name, angle), padding=1, border="reflect", convolution=True)(grey)
        expected: NDArray[np.float64] = getattr(theirs, f"{of}_{way}")(grey)
        assert np.abs(ours / scale - expected).max() < 1e-9


def test_an_angle_answers_most_to_edges_of_that_angle() -> None:
    y, x = np.mgrid[-1:2, -1:2]
    for angle in range(0, 360, 15):
        turn = np.radians(angle)
        image = -x * np.cos(turn) - y * np.sin(turn)  # bright on that side
        strengths = {other: Filter(kernel("scharr", other))(image).item() for other in range(0, 360, 15)}
        assert max(strengths, key=lambda other: strengths[other]) == angle


# Files and misuse


def test_a_filter_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("1, 0 -1\n2\t0 -2\n\n\n")
    assert read_kernel(tmp_path / "one.txt").tolist() == [[1, 0, -1], [2, 0, -2]]
    (tmp_path / "three.txt").write_text("1 0\n\n0 1\r\n\r\n0.5 0.5\n")
    assert read_kernel(tmp_path / "three.txt").shape == (3, 1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0\n1\n", "kernel.txt; got 1 and 2 numbers a line."),
        ("1 0\n\n1 0 1\n\n1 0\n", "kernel.txt; got 2 and 3 numbers a line."),
        ("1\n1\n\n1\n\n1\n1\n", "kernel.txt; got 1 and 2 lines a block."),
        ("a b\n", "could not convert string to float: 'a'. Try `1 0 -1` on three lines."),
        ("", "`kernel`: expected 1 or 3 blocks of at most 101 x 101 numbers in "),
        ("1\n\n2\n", "got the shape [2, 1, 1]."),
        ("nan\n", "got nan or inf."),
    ],
)
def test_files_that_hold_no_filter(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "kernel.txt").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_kernel(tmp_path / "kernel.txt")
    assert message in str(caught.value)


def test_misuse() -> None:
    with pytest.raises(UsageError, match="expected a filter by name; got sobol"):
        kernel("sobol")
    with pytest.raises(UsageError, match="`angle`: expected degrees; got nan"):
        kernel("sobel", float("nan"))
    with pytest.raises(SizeError, match="`image`: expected 1 channels, as the filter has; got the shape"):
        Filter(kernel())(np.zeros((4, 4, 3)))


def test_the_drawing_keeps_the_sign() -> None:
    assert shown(np.array([[-2.0, 0.0, 2.0]])).tolist() == [[0, 128, 255]]
    assert shown(np.array([[0.0, 1.0, 2.0]]), absolute=True).tolist() == [[0, 128, 255]]
    assert shown(np.zeros((1, 2))).tolist() == [[128, 128]]
