import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from striate.data import Index, build
from striate.data.check.boxes import box_findings, boxes_of
from striate.data.check.scan_index import scan_index

Save = Callable[..., Path]
BOX = pa.list_(pa.float32(), 4)


def with_boxes(index: Index, box: Sequence[Any], boxes: Sequence[Any] | None = None) -> Index:
    """The index with these boxes: one a row, or several."""
    index = index.with_column("box", pa.array(box, BOX))
    return index if boxes is None else index.with_column("boxes", pa.array(boxes, pa.list_(BOX)))


@pytest.fixture
def three(tmp_path: Path, save_picture: Save) -> Index:
    """Three images of 40 x 30 pixels; the last cannot be read."""
    for name in ("1.png", "2.png"):
        save_picture(tmp_path / name, size=(40, 30))
    (tmp_path / "3.png").write_bytes(b"")
    return build(tmp_path, ("ant",), ["1.png", "2.png", "3.png"])


def found(index: Index) -> list[tuple[str, str, str]]:
    return [(finding.kind, finding.path, finding.reason) for finding in box_findings(index, scan_index(index))]


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ((0, 0, 40, 30), None),
        ((1, 1, 41, 31), None),  # counted from 1
        ((-1, 0, 3, 3), None),
        ((-2, 0, 3, 3), "box-clipped"),
        ((5, 5, 40, 32), "box-clipped"),
        ((5, 5, 6, 5), "box-empty"),
        ((5, 5, 4, 9), "box-empty"),
        ((5, math.nan, 6, 7), "box-empty"),
        ((40, 0, 50, 9), "box-outside"),
        ((-9, -9, 3, 0), "box-outside"),
    ],
)
def test_each_box_has_one_fault_at_most(three: Index, box: Sequence[float], kind: str | None) -> None:
    index = with_boxes(three, [None, box, None])
    text = f"({', '.join(f'{value:g}' for value in box)}) on 40 x 30 pixels"
    assert found(index) == ([(kind, "2.png", text)] if kind else [])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("box", "kind"), [((5, 5, 38, 9), "box-clipped"), ((31, 5, 39, 9), "box-outside")])
def test_a_box_of_the_image_before_it_was_turned(
    tmp_path: Path, orientation: int, box: Sequence[float], kind: str
) -> None:
    """Stored with 40 x 30 pixels, it is shown with 30 x 40 where it is turned by a quarter."""
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.new("RGB", (40, 30)).save(tmp_path / "1.jpg", exif=exif)
    index = with_boxes(build(tmp_path, ("ant",), ["1.jpg"]), [box])
    assert [each[0] for each in found(index)] == (["box-turned"] if orientation > 4 else [])
    if orientation > 4:
        over_both = with_boxes(index, [(*box[:3], 50)])
        assert [each[0] for each in found(over_both)] == [kind]


def test_all_boxes_of_an_image_are_looked_at(three: Index) -> None:
    empty, outside, good = (0, 0, 0, 5), (60, 60, 70, 70), (1, 2, 3, 4)
    index = with_boxes(three, [good, good, empty], [[good, empty, outside, empty], None, [empty]])
    assert found(index) == [
        ("box-empty", "1.png", "(0, 0, 0, 5) on 40 x 30 pixels, and 1 more"),
        ("box-outside", "1.png", "(60, 60, 70, 70) on 40 x 30 pixels"),
    ]


def test_boxes_and_their_rows(three: Index) -> None:
    one, other = (1, 2, 3, 4), (5, 6, 7, 8)
    rows, boxes = boxes_of(with_boxes(three, [one, one, None], [[other, one], None, []]))
    assert rows.tolist() == [0, 0, 1]
    assert boxes.tolist() == [list(other), list(one), list(one)]
    rows, boxes = boxes_of(three)
    assert (rows.shape, boxes.shape) == ((0,), (0, 4))
