"""Small data sets as tools and people leave them: for each, its files and what it means."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 16)  # width and height
Files = dict[str, str | bytes]
KIN: dict[str, tuple[Callable[[], Files], "Means"]] = {}


@dataclass(frozen=True)
class Means:
    """What a data set means."""

    layout: str = ""
    """The beginning of what it is read as."""

    classes: tuple[str, ...] = ("ants", "bees")
    counts: Mapping[str | None, int] = field(default_factory=lambda: {None: 8})
    """Usable, labelled rows by split."""

    boxes: int = 0
    masks: int = 0
    mask_classes: tuple[str, ...] = ()
    refused: str = ""
    """A part of the error's text, where it is refused."""

    note: str = ""
    """A part of a note."""

    given: str = ""
    """The file or folder that is given, where it is not the whole folder."""

    layout_given: str = "auto"
    label_pattern: str = ""


def kin(means: Means) -> Callable[[Callable[[], Files]], Callable[[], Files]]:
    """Lists a data set in `KIN`."""

    def listed(make: Callable[[], Files]) -> Callable[[], Files]:
        KIN[make.__name__] = make, means
        return make

    return listed


@cache
def image(kind: str = "JPEG", seed: int = 0) -> bytes:
    """An encoded image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


@cache
def mask(kind: str = "PNG", mode: str = "L", high: int = 2) -> bytes:
    """An encoded mask of two objects: values 0, 1 and `high`; of mode RGB, black, (48, 112, 32) and (176, 112, 32)."""
    values = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    values[2:8, 2:8], values[10:14, 10:20] = 1, high
    if high == 255:
        values = np.where(values > 0, np.uint8(255), np.uint8(0))
    if mode == "RGB":
        colours = (
            np.zeros((3, 3), np.uint8)
            if high == 255
            else np.array([(0, 0, 0), (48, 112, 32), (176, 112, 32)], np.uint8)
        )
        shown = Image.fromarray(np.stack([values] * 3, -1) if high == 255 else colours[values])
    elif mode == "P":
        shown = Image.frombytes("P", SIZE, values.tobytes())
        shown.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    else:
        shown = Image.fromarray(values)
    content = io.BytesIO()
    shown.save(content, kind)
    return content.getvalue()


def photos(folder: str, first: int = 0, last: int = 4, ending: str = ".jpg") -> Files:
    """Images folder/FIRST.jpg and so on."""
    return {f"{folder}/{number}{ending}".lstrip("/"): image() for number in range(first, last)}


def classes(folder: str = "", first: int = 0, last: int = 4, names: tuple[str, ...] = ("ants", "bees")) -> Files:
    """Class folders of images."""
    found: Files = {}
    for name in names:
        found |= photos(f"{folder}/{name}".lstrip("/"), first, last)
    return found


def write(root: Path, files: Files) -> Path:
    """Writes files below a folder."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            (root / name).mkdir(exist_ok=True)
        elif isinstance(content, bytes):
            (root / name).write_bytes(content)
        else:
            (root / name).write_text(content, encoding="utf-8")
    return root


def voc(name: str, cls: str) -> str:
    """An annotation of one object."""
    return (
        f"<annotation><filename>{name}</filename><size><width>24</width><height>16</height></size><object><name>{cls}"
        "</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object></annotation>"
    )


def coco(names: list[str], labels: list[int], categories: Mapping[int, str], outlined: bool = False) -> str:
    """A COCO file of one object an image."""
    outline = {"segmentation": [[1, 2, 9, 2, 9, 8, 1, 8]]} if outlined else {}
    return json.dumps(
        {
            "info": {"description": "x"},
            "images": [{"id": i, "file_name": n, "width": 24, "height": 16} for i, n in enumerate(names)],
            "annotations": [
                {"id": i, "image_id": i, "category_id": c, "bbox": [1, 2, 8, 6], "area": 48, "iscrowd": 0} | outline
                for i, c in enumerate(labels)
            ],
            "categories": [{"id": i, "name": n} for i, n in categories.items()],
        }
    )
