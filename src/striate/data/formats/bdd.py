"""BDD100K and Scalabel: one JSON file, a list of images, each with its labels."""

from pathlib import Path

import msgspec

from striate.data.formats.record import Record, boxed
from striate.data.layouts.json_file import decode_json


class _Box(msgspec.Struct, gc=False):
    x1: float
    y1: float
    x2: float
    y2: float


class _Label(msgspec.Struct):
    category: str = ""
    box2d: _Box | None = None


class _Image(msgspec.Struct):
    name: str
    labels: list[_Label] | None = None


def parse(path: Path) -> list[Record]:
    """The records of a file; a label without a box, such as a lane, is left out.

    Raises:
        DataError: if the file is not BDD100K's.
    """
    images: list[_Image] = decode_json(path, list[_Image], "labels of BDD100K, in JSON")
    records = []
    for image in images:
        record = Record(image.name)
        for each in image.labels or ():
            box = each.box2d
            record.add(boxed(each.category, box.x1, box.y1, box.x2, box.y2) if box and each.category else None)
        records.append(record)
    return records
