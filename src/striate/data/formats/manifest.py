"""Manifests of SageMaker Ground Truth: a JSON object a line, an image with its class, classes or boxes.

Source: the output of Ground Truth's jobs for image classification, of one label or several, and for bounding boxes.
What a job found stands under its name, and what that means under its name and `-metadata`.
"""

from pathlib import Path

import msgspec

from striate.data.formats.record import Record, boxed
from striate.data.layouts.json_file import read_json_lines
from striate.errors import DataError

IMAGE, ABOUT = "source-ref", "-metadata"


class _Box(msgspec.Struct):
    class_id: int
    left: float
    top: float
    width: float
    height: float


class _Boxes(msgspec.Struct):
    annotations: list[_Box]


class _About(msgspec.Struct, rename="kebab"):
    class_name: str = ""
    class_map: dict[str, str] = {}


def parse(path: Path) -> list[Record]:
    """The records of a manifest.

    Raises:
        DataError: if a line is none of these kinds.
    """
    records = []
    for number, line in enumerate(read_json_lines(path), 1):
        jobs = [key.removesuffix(ABOUT) for key in line if key.endswith(ABOUT) and key.removesuffix(ABOUT) in line]
        if IMAGE not in line or len(jobs) > 1:
            got = f"{len(jobs)} jobs" if jobs else "no image"
            raise DataError(f"{path}, line {number}: expected `{IMAGE}` and what one job says of it; got {got}.")
        record = Record(str(line[IMAGE]))
        try:
            for job in jobs:
                _add(record, line[job], msgspec.convert(line[f"{job}{ABOUT}"], _About))
        except msgspec.ValidationError as error:
            raise DataError(f"{path}, line {number}: expected a class or boxes; {error}.") from error
        records.append(record)
    return records


def _add(record: Record, said: object, about: _About) -> None:
    """Takes in what a job says: boxes, a class's number, or those of several classes."""
    if isinstance(said, dict):
        for each in msgspec.convert(said, _Boxes).annotations:
            name = about.class_map.get(str(each.class_id), str(each.class_id))
            record.add(boxed(name, each.left, each.top, each.left + each.width, each.top + each.height))
    elif isinstance(said, list):
        record.labels = [about.class_map.get(str(number), str(number)) for number in said]
    else:
        record.labels = [about.class_name or about.class_map.get(str(said), str(said))]
