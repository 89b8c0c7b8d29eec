"""VIA, the VGG Image Annotator: one JSON file, of a project or exported, with the regions of each image.

Source: the files of VIA 1 and 2; the class of a region is its attribute called class, label, name or type, else its
only one.
"""

import math
from pathlib import Path
from typing import Any

import msgspec

from striate.data.formats.record import Record, Shape, boxed, ellipse, outlined
from striate.data.layouts.json_file import decode_json
from striate.errors import DataError

CLASS_KEYS = ("class", "label", "name", "type", "category", "object", "object_name", "species")
UNNAMED = "object"


class _Region(msgspec.Struct):
    shape_attributes: dict[str, Any] = {}
    region_attributes: dict[str, Any] = {}


class _Image(msgspec.Struct):
    filename: str
    regions: list[_Region] | dict[str, _Region] = []
    file_attributes: dict[str, Any] = {}


def parse(path: Path) -> list[Record]:
    """The records of a project or an export.

    Raises:
        DataError: if the file is not VIA's.
    """
    content: dict[str, Any] = decode_json(path, dict[str, Any], "annotations of VIA, in JSON")
    images = content.get("_via_img_metadata", content)
    try:
        found = msgspec.convert(images, dict[str, _Image])
    except (msgspec.ValidationError, RecursionError) as error:
        raise DataError(f"{path}: expected annotations of VIA in JSON; {error}.") from error
    return [_record(image) for image in found.values()]


def _record(image: _Image) -> Record:
    record = Record(image.filename)
    regions = image.regions.values() if isinstance(image.regions, dict) else image.regions
    for region in regions:
        record.add(_shape(region))
    label = _class_of(image.file_attributes)
    record.labels = [label] if label else []
    return record


def _class_of(attributes: dict[str, Any]) -> str:
    chosen = next((attributes[key] for key in CLASS_KEYS if key in attributes), None)
    if chosen is None and len(attributes) == 1:
        chosen = next(iter(attributes.values()))
    if isinstance(chosen, dict):  # of a list of choices, those that are true
        chosen = next((key for key, value in chosen.items() if value), "")
    return str(chosen).strip() if isinstance(chosen, str | int | float) else ""


def _shape(region: _Region) -> Shape | None:
    label = _class_of(region.region_attributes) or UNNAMED
    about = region.shape_attributes
    try:
        match about.get("name"):
            case "rect":
                x, y, width, height = (float(about[key]) for key in ("x", "y", "width", "height"))
                return boxed(label, x, y, x + width, y + height)
            case "polygon" | "polyline":
                xs, ys = about["all_points_x"], about["all_points_y"]
                return outlined(label, [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)])
            case "circle":
                x, y, radius = (float(about[key]) for key in ("cx", "cy", "r"))
                return outlined(label, ellipse(x, y, radius, radius))
            case "ellipse":
                x, y, radius_x, radius_y = (float(about[key]) for key in ("cx", "cy", "rx", "ry"))
                turn = math.degrees(float(about.get("theta") or 0))
                return outlined(label, ellipse(x, y, radius_x, radius_y, turn))
    except (LookupError, TypeError, ValueError):
        return None
    return None
