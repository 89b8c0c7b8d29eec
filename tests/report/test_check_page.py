import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.augment.colour import ColourSums
from striate.data import Index, build, read
from striate.data.check import Check, Finding, examine
from striate.report.check_page import MOST_FINDINGS, MOST_IMAGES, SIDE, drawable, page
from striate.report.html import tail

Save = Callable[..., Path]


class Elements(HTMLParser):
    """Addresses of images, and tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values.get("src") or "")
        elif tag not in ("meta", "br"):
            self.open.append(tag)
        self.outside += [name for name in values if name in ("href", "srcset") or name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> Elements:
    elements = Elements()
    elements.feed(html)
    assert elements.open == []
    assert elements.outside == []
    return elements


def opened(address: str) -> Image.Image:
    head, _, data = address.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def check_of(index: Index, *findings: Finding) -> Check:
    return Check(index, index, findings, (), ColourSums())


def test_copies_stand_side_by_side(tmp_path: Path, save_picture: Save) -> None:
    for name in ("train/ant/1.png", "val/ant/2.png"):
        save_picture(tmp_path / name, size=(80, 40))
    save_picture(tmp_path / "train/bee/3.png", size=(40, 40), seed=1)
    html = page(examine(read(tmp_path)), "mine")
    images = parsed(html).images
    assert [opened(address).size for address in images] == [(SIDE, SIDE // 2)] * 2
    assert images[0] == images[1]
    assert "2 images, the same file: in train and val" in html
    assert "train/ant/1.png<br>ant, train<" in html
    assert "would make a result untrue" in html
    assert not re.search(r"https?:|<script|@import|url\(", html)


def test_every_name_is_escaped(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    index = build(tmp_path, (evil,), [f"{evil}.png"], label=[0], split=["train"], notes=[evil])
    html = page(check_of(index, Finding("suffix", evil, (f"{evil}.png",), (0,))), evil)
    assert parsed(html).images == []  # it cannot be read
    assert "<img" not in html
    assert html.count("&lt;img src=x") >= 5


def test_the_page_is_bounded(tmp_path: Path, save_picture: Save) -> None:
    names = [save_picture(tmp_path / f"{seed}.png", size=(300, 300), seed=seed).name for seed in range(10)]
    index = build(tmp_path, ("ant",), names * 50)
    group = tuple(range(500))
    paths = tuple(index.paths())
    html = page(check_of(index, *[Finding("duplicate", "500 copies", paths, group)] * 100), "many")
    assert len(parsed(html).images) == MOST_FINDINGS * MOST_IMAGES
    assert html.count("and 494 more images") == MOST_FINDINGS
    assert "and 76 more, which --json lists" in html
    classes = tuple(f"class {number}" for number in range(60))
    assert "and 10 more classes" in page(check_of(build(tmp_path, classes, [])), "none")


def test_boxes_are_drawn_where_they_lie(tmp_path: Path) -> None:
    Image.new("RGB", (2 * SIDE, 2 * SIDE), "white").save(tmp_path / "1.png")
    index = build(tmp_path, ("ant",), ["1.png"], box=[(40, 80, 240, 80)])
    html = page(check_of(index, Finding("box-empty", "no height", ("1.png",), (0,))), "boxes")
    pixels = np.asarray(opened(parsed(html).images[0]).convert("RGB")).astype(int)
    red = (pixels[..., 0] - pixels[..., 1]) > 60
    rows, columns_ = np.nonzero(red)
    assert abs(rows.mean() - 40) <= 2
    assert abs(columns_.min() - 20) <= 2
    assert abs(columns_.max() - 120) <= 2


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ((-5, 2, 30, 40), (0, 2, 19, 9)),
        ((8, 7, 3, 4), (3, 4, 8, 7)),
        ((50, 50, 60, 60), (19, 9, 19, 9)),
        ((1, 2, np.nan, 4), None),
    ],
)
def test_any_box_can_be_drawn_or_left_out(
    box: tuple[float, ...], corners: tuple[float, float, float, float] | None
) -> None:
    assert drawable(np.array(box), (20, 10)) == corners


def test_long_paths_are_cut_in_front() -> None:
    assert tail("a/b.png") == "a/b.png"
    long = tail("x" * 500 + "/b.png")
    assert len(long) == 121
    assert long.startswith("…")
    assert long.endswith("/b.png")
