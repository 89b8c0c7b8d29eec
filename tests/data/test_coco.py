import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from pycocotools import mask as reference

from striate.data import UnreadableError
from striate.data.coco import BACKGROUND, CROWD, load, stored_values
from striate.data.formats.record import code_of
from striate.errors import DataError

# of `pycocotools.mask.decode`, which is older than NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

WIDTH, HEIGHT = 9, 7
Mask = NDArray[np.bool_]
ANT, BEE = code_of("ant"), code_of("bee")  # the values of categories 3 and 8


def annotation(segmentation: object, category: int = 3, **others: object) -> dict[str, object]:
    return {"image_id": 5, "category_id": category, "bbox": [0, 0, 1, 1], "segmentation": segmentation} | others


def coco_file(folder: Path, annotations: Sequence[dict[str, object]], width: int = WIDTH, height: int = HEIGHT) -> Path:
    path = folder / "objects.json"
    image = {"id": 5, "file_name": "1.png", "width": width, "height": height, "license": 1}
    categories = [{"id": 3, "name": "ant"}, {"id": 8, "name": "bee", "supercategory": "insect"}]
    path.write_text(json.dumps({"images": [image], "annotations": list(annotations), "categories": categories}))
    return path


def values(folder: Path, *annotations: dict[str, object], width: int = WIDTH, height: int = HEIGHT) -> list[list[int]]:
    listed: list[list[int]] = stored_values(coco_file(folder, annotations, width, height), 5).tolist()
    return listed


def rectangle(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def broken(folder: Path, segmentation: object) -> str:
    with pytest.raises(UnreadableError) as caught:
        values(folder, annotation(segmentation))
    return str(caught.value)


def run_lengths(mask: Mask) -> list[int]:
    """Of a mask (H, W), down its columns, those outside first."""
    flat = np.concatenate([[False], mask.T.ravel()])
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(np.concatenate([[0], turns, [mask.size]]))]


@given(mask=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_both_kinds_of_run_lengths_are_those_of_pycocotools(
    mask: Mask, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    height, width = mask.shape
    text = reference.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    for counts in (text, run_lengths(mask)):
        found = values(folder, annotation({"size": [height, width], "counts": counts}), width=width, height=height)
        assert np.array_equal(np.array(found) == ANT, mask)


points = st.tuples(st.floats(-3, WIDTH + 3), st.floats(-3, HEIGHT + 3))
polygons = st.lists(points, min_size=3, max_size=6).map(lambda each: [value for point in each for value in point])


@given(outline=st.lists(polygons, min_size=1, max_size=3))
def test_polygons_are_those_of_pycocotools(
    outline: list[list[float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = values(tmp_path_factory.mktemp("polygons"), annotation(outline))
    runs = reference.merge(reference.frPyObjects(outline, HEIGHT, WIDTH))
    assert np.array_equal(np.array(found) == ANT, reference.decode(runs) == 1)


def test_a_polygon_covers_the_pixels_within_it(tmp_path: Path) -> None:
    """By hand, without any program's word for it: corners lie on the edges of pixels."""
    expected = np.full((HEIGHT, WIDTH), BACKGROUND)
    expected[2:5, 1:4] = ANT
    assert values(tmp_path, annotation([rectangle(1, 2, 4, 5)])) == expected.tolist()


def test_the_smaller_object_is_in_front(tmp_path: Path) -> None:
    small, large = annotation([rectangle(2, 2, 4, 4)], 8), annotation([rectangle(0, 0, 9, 7)], 3)
    expected = np.full((HEIGHT, WIDTH), ANT)
    expected[2:4, 2:4] = BEE
    assert values(tmp_path, small, large) == values(tmp_path, large, small) == expected.tolist()


def test_a_crowd_is_behind_every_object(tmp_path: Path) -> None:
    crowd = annotation([rectangle(0, 0, 2, 2)], 8, iscrowd=1)
    expected = np.full((HEIGHT, WIDTH), ANT)
    assert values(tmp_path, annotation([rectangle(0, 0, 9, 7)]), crowd) == expected.tolist()
    assert np.array(values(tmp_path, crowd))[0, :3].tolist() == [CROWD, CROWD, BACKGROUND]


@pytest.mark.parametrize("outline", [None, [], {}])
def test_an_object_without_an_outline_is_unknown_within_its_box(outline: object, tmp_path: Path) -> None:
    if outline == {}:
        assert broken(tmp_path, outline | {"size": 3}).startswith("an outline is broken: ")
        return
    found = np.array(values(tmp_path, annotation(outline, bbox=[1, 2, 3, 4])))
    expected = np.full((HEIGHT, WIDTH), BACKGROUND)
    expected[2:6, 1:4] = CROWD
    assert np.array_equal(found, expected)
    assert not np.array(values(tmp_path, annotation(outline, bbox=[]))).any()


def test_a_line_covers_nothing(tmp_path: Path) -> None:
    assert not np.array(values(tmp_path, annotation([[0, 0, 5, 5]]))).any()


@pytest.mark.parametrize(
    ("outline", "reason"),
    [
        ([[0, 0, 5, 5, 5, 0, 3]], "an outline is broken: expected pairs of x and y; got 7 numbers"),
        ([[0, 0, 5, 5, 1e9, 0]], "an outline is broken: it reaches far out of the image"),
        ([[0, 0, -1e300, 5, 5, 0]], "an outline is broken: it reaches far out of the image"),
    ],
)
def test_a_broken_polygon(outline: object, reason: str, tmp_path: Path) -> None:
    assert broken(tmp_path, outline) == reason


@pytest.mark.parametrize(
    "counts",
    ["", "o", "ooooooooooooooooooooooooo", "\x00", "é", "0" * 99, [], [62], [64], [2**64, 63 - 2**64], [-1, 64]],
)
def test_broken_run_lengths(counts: object, tmp_path: Path) -> None:
    reason = "an outline is broken: expected run lengths of 9 x 7 pixels; got others"
    assert broken(tmp_path, {"size": [HEIGHT, WIDTH], "counts": counts}) == reason


@given(counts=st.text(st.characters(min_codepoint=32, max_codepoint=127), max_size=12))
def test_any_text_is_run_lengths_or_broken(counts: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    outline = {"size": [HEIGHT, WIDTH], "counts": counts}
    try:
        found = np.array(values(tmp_path_factory.mktemp("text"), annotation(outline)))
    except UnreadableError:
        return
    assert np.array_equal(found == ANT, reference.decode({"size": outline["size"], "counts": counts.encode()}) == 1)


def test_run_lengths_of_another_size_are_broken(tmp_path: Path) -> None:
    assert "expected run lengths of 9 x 7 pixels" in broken(tmp_path, {"size": [WIDTH, HEIGHT], "counts": [63]})


@pytest.mark.parametrize("outline", ["text", 5, [["a"]], {"size": [1], "counts": "0"}, [1, 2, 3]])
def test_an_outline_of_another_kind_is_broken(outline: object, tmp_path: Path) -> None:
    assert broken(tmp_path, outline).startswith("an outline is broken: ")


@pytest.mark.parametrize(("width", "height"), [(0, 7), (9, -7)])
def test_a_size_that_cannot_be(width: int, height: int, tmp_path: Path) -> None:
    sentence = f"expected a mask of 1 pixel or more; objects.json says {width} x {height}"
    with pytest.raises(UnreadableError, match=f"^{re.escape(sentence)}$"):
        values(tmp_path, width=width, height=height)


def test_a_size_beyond_the_limit(tmp_path: Path) -> None:
    sentence = (
        "its mask: 10000 x 10000 pixels are more than the limit of 89,478,485: check and train with --max-pixels "
    )
    with pytest.raises(UnreadableError, match=f"^{re.escape(sentence)}100000000$"):
        values(tmp_path, width=10_000, height=10_000)


def test_a_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    assert math.prod(np.shape(values(tmp_path))) == WIDTH * HEIGHT
    assert np.array(values(tmp_path, annotation([rectangle(0, 0, 9, 7)]))).all()


def test_an_image_that_the_file_lacks(tmp_path: Path) -> None:
    path = coco_file(tmp_path, [])
    with pytest.raises(UnreadableError, match=r"^objects\.json has no image 6$"):
        stored_values(path, 6)
    path.unlink()
    with pytest.raises(UnreadableError, match="No such file"):
        stored_values(path, 5)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"images": 5, "categories": []}',
        b"\xff",
        b'{"images": [], "categories": [{"id": -1, "name": ""}]}',
    ],
)
def test_what_is_no_coco_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: expected COCO JSON; "):
        load(path)


def test_numbers_of_images_are_their_own(tmp_path: Path) -> None:
    path = coco_file(tmp_path, [])
    content: dict[str, Any] = json.loads(path.read_text())
    content["images"] *= 2
    path.write_text(json.dumps(content))
    sentence = f"{path}: expected a number of its own for each image; got one twice."
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        load(path)
