"""CreateML: one JSON file with the boxes of each image, by their centres."""

from pathlib import Path

import msgspec

from striate.data.formats.record import Record, boxed
from striate.data.layouts.json_file import decode_json


class _Coordinates(msgspec.Struct, gc=False):
    x: float
    y: float
    width: float
    height: float


class _Annotation(msgspec.Struct, gc=False):
    label: str
    coordinates: _Coordinates


class _Image(msgspec.Struct):
    image: str | None = None
    imagefilename: str | None = None
    annotations: list[_Annotation] = []
    annotation: list[_Annotation] = []


def parse(path: Path) -> list[Record]:
    """The records of a file.

    Raises:
        DataError: if the file is not CreateML's.
    """
    images: list[_Image] = decode_json(path, list[_Image], "annotations of CreateML, in JSON")
    records = []
    for image in images:
        record = Record(image.image or image.imagefilename or "")
        for each in image.annotations or image.annotation:
            at, half_width, half_height = each.coordinates, each.coordinates.width / 2, each.coordinates.height / 2
            record.add(boxed(each.label, at.x - half_width, at.y - half_height, at.x + half_width, at.y + half_height))
        records.append(record)
    return records
