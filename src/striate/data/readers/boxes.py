"""Boxes in tables: a row an object, with four numbers and a class."""

import math
import re
from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from striate.data.index import Index
from striate.data.layouts.columns import WRITTEN, require_columns, splits_of_values
from striate.data.layouts.finder import ImageFinder, normal
from striate.data.layouts.layout import Finder, Layout
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tables import Table, open_table
from striate.data.readers.annotations import AnnotatedImage, index_of, sizes_of
from striate.errors import DataError
from striate.files import list_names

NUMBER = re.compile(r"-?[0-9.]+(?:[eE][-+]?[0-9]+)?")
SAMPLE, OUTSIDE = 100, 0.1  # images that are looked at, and share of their boxes that are hardly wrong by chance
UNNAMED = "object"  # the class of boxes in a table that names none


class _Objects(msgspec.Struct):
    """The objects of one image."""

    bbox: list[tuple[float, float, float, float]] = []
    categories: list[str | int] = []
    category: list[str | int] = []


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads the boxes of one table or several; an image without a box is no row, unless its row has empty numbers.

    Raises:
        DataError: if a row has other values than a path, four numbers and a class.
    """
    finder = layout.finder or ImageFinder(layout.tree)
    annotations: dict[str, AnnotatedImage] = {}
    weights: dict[str, float] = {}
    notes: list[str] = []
    for file in layout.files:
        table = open_table(layout.tree, file, finder, options)
        require_columns(table.sheet, table.columns, options.path_column, options.label_column)
        notes += _notes(table, options.weight_column)
        _add_rows(table, finder, len(layout.files) > 1, annotations)
        if table.columns.box is not None:
            _require_sizes_in_boxes(layout, table, annotations)
        weights |= _weights(table, finder, options.weight_column)
    _scale(layout, annotations)
    index = index_of(layout.tree.root, annotations, notes=dict.fromkeys(notes))
    if not weights:
        return index
    return index.with_column("weight", pa.array([weights.get(path) for path in index.paths()], pa.float32()))


def _weights(table: Table, finder: Finder, column: str) -> dict[str, float]:
    """How often each image is drawn, where a column says so."""
    if column not in table.sheet.names:
        return {}
    place = table.sheet.names.index(column)
    found: dict[str, float] = {}
    for line, values in table.sheet.rows():
        if values[place]:
            try:
                found[_path(values[table.path_place], table, finder)] = float(values[place])
            except ValueError as error:
                got = f"{values[place]!r:.80}"
                raise DataError(f"{table.sheet.path}, line {line}: expected a number as weight; got {got}.") from error
    return found


def _notes(table: Table, weight_column: str) -> list[str]:
    columns = table.columns
    used = {weight_column, columns.path, columns.label, columns.split, columns.box, columns.objects, *columns.corners}
    unused = [name for name in table.sheet.names if name not in used and table.sheet.has_header]
    notes = [table.sheet.note] if table.sheet.note else []
    notes += [f"columns that are not read: {list_names(unused, 12)}."] if unused else []
    if columns.label is None and columns.objects is None:
        notes.append(f"{table.file} names no classes: all its boxes are of one class, `{UNNAMED}`.")
    return notes


def _add_rows(table: Table, finder: Finder, is_one_of_many: bool, annotations: dict[str, AnnotatedImage]) -> None:
    columns, names = table.columns, table.sheet.names
    places = [names.index(name) for name in columns.corners or (columns.box or columns.objects or "",)]
    label_place = None if columns.label is None else names.index(columns.label)
    split_place = None if columns.split is None else names.index(columns.split)
    split = table.split if is_one_of_many else table.folder_split if table.sheet.has_header else None
    objects_place = None if columns.objects is None else names.index(columns.objects)
    has_sizes = columns.has_sizes or columns.box is not None
    paths: dict[str, str] = {}
    splits = _splits(table)
    for line, values in table.sheet.rows():
        text = values[table.path_place]
        if text not in paths:
            paths[text] = _path(text, table, finder)
        label = UNNAMED if label_place is None else values[label_place]
        each = annotations.setdefault(paths[text], AnnotatedImage())
        each.split = split if split_place is None else splits[values[split_place]]
        if objects_place is not None:
            _add_objects(each, values[objects_place], f"{table.sheet.path}, line {line}")
            continue
        numbers = _four([values[place] for place in places])
        if numbers is None and not any(values[place] for place in places):
            continue  # an image without an object
        if numbers is None or not text or not label:
            got = ",".join(values)
            raise DataError(
                f"{table.sheet.path}, line {line}: expected a path, four numbers and a class; got {got:.200}."
            )
        each.add(label, _corners(numbers) if has_sizes else numbers)


def _splits(table: Table) -> dict[str, str | None]:
    """The split that each value of a table's column of splits means."""
    column = table.columns.split
    return splits_of_values(set(table.sheet.columns([column])[column].to_pylist()), column) if column else {}


def _add_objects(each: AnnotatedImage, text: str, place: str) -> None:
    """Takes in the objects that one value holds.

    They are {"bbox": [[x, y, width, height], ...], "categories": [...]}, or names and corners: ant 1 2 9 8 bee 3 4 9 9.
    """
    if WRITTEN.fullmatch(text):
        texts = text.split()
        for first in range(0, len(texts), 5):
            each.add(texts[first], [float(number) for number in texts[first + 1 : first + 5]])
        return
    try:
        objects = msgspec.json.decode(text or "{}", type=_Objects)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataError(f"{place}: expected lists bbox and categories as `objects`; {error}.") from error
    names = objects.categories or objects.category
    if len(objects.bbox) != len(names):
        raise DataError(
            f"{place}: expected a category for each bbox in `objects`; got {len(names)} for {len(objects.bbox)}."
        )
    for name, box in zip(names, objects.bbox, strict=True):
        each.add(str(name), _corners(box))


def _path(text: str, table: Table, finder: Finder) -> str:
    """The image that a text means; of a table of one class, first the one in the class's own folder."""
    if not table.sheet.has_header:
        own = finder.find(f"{table.file.rpartition('/')[2].rpartition('.')[0]}/{text}", table.folder)
        if own is not None:
            return own
    found = finder.find(text, table.folder, table.split)
    if found is not None or text.startswith("/") or not text:
        return found or text
    return f"{table.folder}/{normal(text)}" if table.folder else normal(text)


def _four(texts: Sequence[str]) -> list[float] | None:
    """Four numbers, of four texts or of one that holds all of them."""
    found = NUMBER.findall(texts[0]) if len(texts) == 1 else texts
    try:
        numbers = [float(text) for text in found]
    except ValueError:
        return None
    return numbers if len(numbers) == 4 else None


def _corners(numbers: Sequence[float]) -> list[float]:
    x, y, width, height = numbers
    return [x, y, x + width, y + height]


def _require_sizes_in_boxes(layout: Layout, table: Table, annotations: Mapping[str, AnnotatedImage]) -> None:
    """Refuses a column of boxes that are corners: as x, y, width and height, many would reach out of their images.

    Raises:
        DataError: if so, and if as corners all of them lie within.
    """
    sizes = sizes_of(layout.tree.root, list(annotations)[:: max(len(annotations) // SAMPLE, 1)])
    boxes = [(size, box) for path, size in sizes.items() for box in annotations[path].boxes]
    outside = sum(x1 > width + 1 or y1 > height + 1 for (width, height), (_, _, x1, y1) in boxes)
    as_corners = (x0 < x1 - x0 <= size[0] + 1 and y0 < y1 - y0 <= size[1] + 1 for size, (x0, y0, x1, y1) in boxes)
    if outside > OUTSIDE * len(boxes) and all(as_corners):
        raise DataError(
            f"{table.sheet.path}: expected x, y, width and height in `{table.columns.box}`; got corners: as sizes, "
            f"{outside} of {len(boxes)} boxes would reach out of their images. Write them into xmin, ymin, xmax "
            "and ymax."
        )


def _scale(layout: Layout, annotations: dict[str, AnnotatedImage]) -> None:
    """Turns boxes in shares of the image's size into pixels, where no box has a number above 1."""
    numbers = [value for each in annotations.values() for box in each.boxes for value in box if math.isfinite(value)]
    if not numbers or max(numbers) > 1 or all(value in (0, 1) for value in numbers):
        return
    sizes = sizes_of(layout.tree.root, list(annotations))
    for path, each in annotations.items():
        width, height = sizes.get(path, (0, 0))
        each.boxes = [[x0 * width, y0 * height, x1 * width, y1 * height] for x0, y0, x1, y1 in each.boxes]
