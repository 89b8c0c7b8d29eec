"""Supervisely: a JSON file an image in `ann/`, named as the image in `img/` with `.json` after it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from striate.data.formats.record import Record, boxed, outlined
from striate.data.layouts.json_file import decode_json

Point = tuple[float, float]  # x and y in pixels


class _Points(msgspec.Struct):
    exterior: list[tuple[float, float]] = []
    interior: list[list[tuple[float, float]]] = []


class _Object(msgspec.Struct, rename="camel"):
    class_title: str
    geometry_type: str = ""
    points: _Points | None = None


class _Tag(msgspec.Struct):
    name: str = ""


class _Size(msgspec.Struct):
    height: int = 0
    width: int = 0


class _File(msgspec.Struct):
    objects: list[_Object]
    tags: list[_Tag] = []
    size: _Size | None = None


def parse(path: Path) -> list[Record]:
    """The one record of a file.

    Raises:
        DataError: if the file is not Supervisely's.
    """
    content: _File = decode_json(path, _File, "annotations of Supervisely, in JSON")
    size = content.size or _Size()
    record = Record(path.name.removesuffix(".json"), width=size.width, height=size.height)
    record.labels = [tag.name for tag in content.tags if tag.name]
    for each in content.objects:
        points = each.points.exterior if each.points else []
        if each.geometry_type == "rectangle" and len(points) == 2:
            (x0, y0), (x1, y1) = points
            record.add(boxed(each.class_title, x0, y0, x1, y1))
        elif each.geometry_type == "bitmap":
            record.leave_out_area()
        else:
            holes = each.points.interior if each.points else []
            shape = outlined(each.class_title, points) if each.geometry_type == "polygon" else None
            record.add(replace(shape, points=_with_holes(points, holes)) if shape and holes else shape)
    return [record]


def _with_holes(points: list[Point], holes: Iterable[list[Point]]) -> list[Point]:
    """One outline of an outer one and its holes: there and back along a line, which covers nothing."""
    whole = list(points)
    for hole in holes:
        whole += [points[0], *hole, *hole[:1]]
    return whole
