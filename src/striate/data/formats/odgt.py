"""CrowdHuman's `.odgt`: a JSON object a line, an image with its boxes."""

from pathlib import Path

import msgspec

from striate.data.formats.record import Record, boxed
from striate.data.layouts.json_file import read_json_lines
from striate.errors import DataError

ASIDE = "mask"  # the tag of a region that is to be ignored


class _Box(msgspec.Struct):
    tag: str
    fbox: tuple[float, float, float, float] | None = None
    box: tuple[float, float, float, float] | None = None


class _Image(msgspec.Struct):
    ID: str
    gtboxes: list[_Box] = []


def parse(path: Path) -> list[Record]:
    """The records of a file, with the box of each whole person.

    Raises:
        DataError: if the file is none of this kind.
    """
    try:
        images = msgspec.convert(read_json_lines(path), list[_Image])
    except (msgspec.ValidationError, RecursionError) as error:
        raise DataError(f"{path}: expected images with `ID` and `gtboxes`, a line each; {error}.") from error
    records = []
    for image in images:
        record = Record(image.ID)
        for each in image.gtboxes:
            x, y, width, height = each.fbox or each.box or (0, 0, 0, 0)
            record.add(boxed(each.tag, x, y, x + width, y + height) if each.tag != ASIDE else None)
        records.append(record)
    return records
