"""Boxes in CSV files: one a class without a header, or one with the columns filename, class, xmin, ymin, xmax, ymax."""

import csv
from pathlib import Path

from striate.data.index import Index
from striate.data.paths import SafePaths
from striate.data.readers.annotations import IMAGE_FOLDERS, Objects, folder_named
from striate.data.readers.table import header, lines, reading
from striate.data.readers.voc import ANNOTATION_FOLDERS, CORNERS, index_of
from striate.errors import DataError

COLUMNS = ("filename", *CORNERS, "class")


def recognises(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with annotations/CLASS.csv and images."""
    if path.is_file():
        return path.suffix.lower() == ".csv" and set(COLUMNS) <= set(header(path))
    return path.is_dir() and bool(_class_files(path)) and folder_named(path, IMAGE_FOLDERS) is not None


def read(path: Path, image_root: Path | None = None) -> Index:
    """Reads one file with a header, or the files of all classes of a folder.

    Args:
        path: of the file, or of the folder that holds annotations/ and images/.
        image_root: folder that the pictures' names start from; where it is not given, the first of the file's own
            folder, the images/ in it, and the images/ beside it that has the first picture.

    Raises:
        DataError: if a line has other values than a name, four numbers and a class, or a picture is not there.
    """
    if path.is_file():
        return _read_file(path, image_root)
    images = folder_named(path, IMAGE_FOLDERS) or path
    found: dict[str, Objects] = {}
    for file in _class_files(path):
        with reading(file), file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.reader(text, strict=True)
            for values in reader:
                if values:
                    picture = _beside(images, file.stem, values[0]).relative_to(path).as_posix()
                    _add(found, picture, values, file, reader.line_num)
    return _index(path, found)


def _read_file(path: Path, image_root: Path | None) -> Index:
    found: dict[str, Objects] = {}
    for line, values in lines(path, COLUMNS):
        _add(found, values[0], values, path, line)
    first = next(iter(found), "")
    places = [path.parent, *(folder_named(place, IMAGE_FOLDERS) for place in (path.parent, path.parent.parent))]
    root = image_root or next((place for place in places if place is not None and (place / first).is_file()), None)
    if root is None:
        raise DataError(f"{path}: expected its pictures beside it or in a folder images; got no {first}.")
    return _index(root, found)


def _index(root: Path, found: dict[str, Objects]) -> Index:
    safe = SafePaths(root)
    reasons = {picture: reason for picture in found if (reason := safe(picture)) is not None}
    return index_of(root, found, reasons)


def _class_files(root: Path) -> list[Path]:
    folder = folder_named(root, ANNOTATION_FOLDERS)
    return [] if folder is None else sorted(folder.glob("*.csv"))


def _beside(images: Path, name: str, picture: str) -> Path:
    """A class's picture: in the class's own folder of pictures, or among all."""
    own = images / name / picture
    return own if own.parent.is_dir() else images / picture


def _add(found: dict[str, Objects], picture: str, values: list[str], file: Path, line: int) -> None:
    expected = f"{file}, line {line}: expected a name, four numbers and a class; got {','.join(values)}."
    if len(values) != len(COLUMNS) or not values[0] or not values[5]:
        raise DataError(expected)
    try:
        box = [float(value) for value in values[1:5]]
    except ValueError as error:
        raise DataError(expected) from error
    objects = found.setdefault(picture, Objects())
    objects.names.append(values[5].strip())
    objects.boxes.append(box)
