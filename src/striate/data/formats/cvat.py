"""CVAT: one XML file with the boxes, outlines and tags of each image ("CVAT for images 1.1")."""

import sys
from pathlib import Path
from xml.etree import ElementTree

from striate.data.formats.record import Record, Shape, boxed, ellipse, outlined, turned
from striate.data.formats.xml_file import stream_xml
from striate.data.layouts.names import split_of
from striate.errors import DataError
from striate.files import whole_number

MOST = 1 << 27  # bytes: some million images of one box


def parse(path: Path) -> list[Record]:
    """The records of a file.

    Raises:
        DataError: if the file is not CVAT's.
    """
    outer, images = stream_xml(path, "image", _record, MOST)
    if outer != "annotations":
        raise DataError(f"{path}: expected <annotations> of CVAT; got <{outer}>.")
    return images


def _record(image: ElementTree.Element) -> Record:
    record = Record(image.get("name", ""), width=_pixels(image, "width"), height=_pixels(image, "height"))
    record.split = split_of(subset) if (subset := image.get("subset", "")) else None
    for each in image:
        if each.tag == "tag":
            record.labels += [each.get("label", "")] if each.get("label") else []
            continue
        record.add(_shape(each))
        record.has_unread_area |= each.tag == "mask"
    return record


def _shape(each: ElementTree.Element) -> Shape | None:
    label = sys.intern(each.get("label", ""))  # once for all shapes of a class
    try:
        if each.tag == "box" and label:
            x0, y0, x1, y1 = (float(each.get(name, "")) for name in ("xtl", "ytl", "xbr", "ybr"))
            centre = [((x0 + x1) / 2, (y0 + y1) / 2)]
            return turned(label, (x0, y0, x1, y1), float(each.get("rotation") or 0), centre)
        if each.tag == "ellipse" and label:
            x, y, across, down = (float(each.get(name, "")) for name in ("cx", "cy", "rx", "ry"))
            return outlined(label, ellipse(x, y, across, down, float(each.get("rotation") or 0)))
        if each.tag == "mask" and label:
            left, top, width, height = (float(each.get(name, "")) for name in ("left", "top", "width", "height"))
            return boxed(label, left, top, left + width, top + height)
        if each.tag == "polygon" and label:
            pairs = (pair.split(",") for pair in each.get("points", "").split(";"))
            return outlined(label, [(float(x), float(y)) for x, y in pairs])
    except ValueError:
        return None
    return None


def _pixels(image: ElementTree.Element, name: str) -> int:
    return whole_number(image.get(name, "")) or 0
