"""labelme: a JSON file an image, with its shapes.

Source: labelme's own files, of versions 3 to 5; flags of the whole image are its classes.
"""

import math
from pathlib import Path

import msgspec

from striate.data.formats.record import Record, Shape, boxed, ellipse, outlined
from striate.data.layouts.json_file import decode_json


class _Shape(msgspec.Struct, gc=False):
    label: str | int | None = None
    points: list[tuple[float, float]] = []
    shape_type: str | None = "polygon"


class _File(msgspec.Struct):
    shapes: list[_Shape]
    imagePath: str | None = None  # noqa: N815 - labelme's name
    imageWidth: int | None = None  # noqa: N815
    imageHeight: int | None = None  # noqa: N815
    flags: dict[str, bool] | None = None


def parse(path: Path) -> list[Record]:
    """The one record of a file.

    Raises:
        DataError: if the file is not labelme's.
    """
    content: _File = decode_json(path, _File, "annotations of labelme, in JSON")
    name = (content.imagePath or "").replace("\\", "/").rpartition("/")[2]
    record = Record(name or path.stem, width=content.imageWidth or 0, height=content.imageHeight or 0)
    record.labels = [flag for flag, is_set in (content.flags or {}).items() if is_set]
    for each in content.shapes:
        if each.shape_type == "mask":
            record.leave_out_area()
        else:
            record.add(_shape(each))
    return [record]


def _shape(each: _Shape) -> Shape | None:
    label = "" if each.label is None else str(each.label).strip()
    if not label:
        return None
    if each.shape_type == "rectangle" and len(each.points) == 2:
        (x0, y0), (x1, y1) = each.points
        return boxed(label, x0, y0, x1, y1)
    if each.shape_type == "circle" and len(each.points) == 2:
        (x, y), edge = each.points
        radius = math.dist((x, y), edge)
        return outlined(label, ellipse(x, y, radius, radius))
    if each.shape_type in ("polygon", "rectangle", None):
        return outlined(label, each.points)
    return None
