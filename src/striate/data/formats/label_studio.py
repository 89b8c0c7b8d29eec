"""Label Studio: one JSON file of tasks, each an image with choices, boxes or outlines.

Source: Label Studio's JSON export; numbers of boxes and outlines are shares of the image's size in percent.
"""

from pathlib import Path

import msgspec

from striate.data.formats.record import Record, Shape, ellipse, outlined, turned
from striate.data.image_formats import IMAGE_SUFFIXES
from striate.data.layouts.json_file import decode_json
from striate.data.layouts.tree import suffix_of

IMAGE_KEYS = ("image", "img", "image_url", "url", "photo", "ocr")


class _Value(msgspec.Struct):
    choices: list[str] = []
    rectanglelabels: list[str] = []
    polygonlabels: list[str] = []
    labels: list[str] = []
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    rotation: float = 0
    ellipselabels: list[str] = []
    radiusX: float | None = None  # noqa: N815 - Label Studio's name
    radiusY: float | None = None  # noqa: N815
    points: list[tuple[float, float]] = []


class _Result(msgspec.Struct):
    type: str = ""
    value: _Value | None = None
    original_width: int = 0
    original_height: int = 0


class _Annotation(msgspec.Struct):
    result: list[_Result] = []
    was_cancelled: bool = False


class _Task(msgspec.Struct):
    data: dict[str, object] = {}
    annotations: list[_Annotation] = []
    completions: list[_Annotation] = []  # as annotations were called before version 1
    file_upload: str | None = None


def parse(path: Path) -> list[Record]:
    """The records of an export, of each task the last annotation that was not skipped.

    Raises:
        DataError: if the file is not Label Studio's.
    """
    tasks: list[_Task] = decode_json(path, list[_Task], "tasks of Label Studio, in JSON")
    return [_record(task) for task in tasks]


def _record(task: _Task) -> Record:
    record = Record(_image(task))
    done = [each for each in task.annotations or task.completions if not each.was_cancelled]
    for result in done[-1].result if done else ():
        if result.value is None:
            continue
        record.width, record.height = result.original_width or record.width, result.original_height or record.height
        if result.type in ("choices", "taxonomy"):
            record.labels += result.value.choices
            continue
        if result.type in ("brushlabels", "brush"):
            record.leave_out_area()
        else:
            record.add(_shape(result))
    return record


def _image(task: _Task) -> str:
    """The path of a task's image: the value of a key that is called so, else one that ends as an image does."""
    texts = {key: value for key, value in task.data.items() if isinstance(value, str)}
    for key in IMAGE_KEYS:
        if texts.get(key):
            return texts[key]
    ending = (text for text in texts.values() if suffix_of(text.split("?")[0]) in IMAGE_SUFFIXES)
    return next(ending, task.file_upload or "")


def _shape(result: _Result) -> Shape | None:
    value = result.value or _Value()
    label = next(iter([*value.rectanglelabels, *value.polygonlabels, *value.ellipselabels, *value.labels]), "")
    across, down = result.original_width / 100, result.original_height / 100
    if not label or not across or not down:
        return None
    if value.points:
        return outlined(label, [(x * across, y * down) for x, y in value.points])
    if value.x is None or value.y is None:
        return None
    x, y = value.x * across, value.y * down
    if value.radiusX is not None and value.radiusY is not None:
        return outlined(label, ellipse(x, y, value.radiusX * across, value.radiusY * down, value.rotation))
    if value.width is None or value.height is None:
        return None
    box = (x, y, x + value.width * across, y + value.height * down)
    return turned(label, box, value.rotation, [(x, y)])  # about its first corner
