"""Labels in JSON as records of file, label and split, in each of the ways that people write them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from striate.data.image_formats import IMAGE_SUFFIXES
from striate.data.layouts.json_file import decode_json
from striate.data.layouts.names import split_of
from striate.data.layouts.tree import suffix_of
from striate.errors import DataError

MOST = 256 << 20  # bytes
FILE, LABEL, SPLIT = "filename", "label", "split"
WRAPPERS = ("data", "images", "annotations", "samples", "items", "records", "labels", "rows")
PATH_KEYS = ("images", "image", "files", "filenames", "paths", "file_names")
LABEL_KEYS = ("labels", "label", "classes", "targets", "categories")
Record = dict[str, object]
Label = str | int


def json_records(path: Path) -> list[Record]:
    """The records of a JSON file.

    It is a list of objects or of pairs, an object of a label or labels a file, of the files a class, of lists of files
    and of labels that go together, of one of these a split, or one of these under a key such as `data`.

    Raises:
        DataError: if it holds nothing of the kind.
    """
    if path.stat().st_size > MOST:
        raise DataError(f"{path}: expected records in JSON of at most {MOST:,} bytes; got more.")
    content: Any = decode_json(path, dict[str, Any] | list[Any], "a JSON list of records")
    found = _records(content)
    if found is None:
        raise DataError(f"{path}: expected labels as records, pairs, or an object of file and label; got other JSON.")
    return found


def _records(content: Any) -> list[Record] | None:
    if isinstance(content, list):
        return _of_list(content)
    if not isinstance(content, dict) or not content:
        return None
    splits = {key: split_of(key) for key in content}
    if None not in splits.values() and all(isinstance(each, list | dict) for each in content.values()):
        return _of_splits(content, splits)
    wrapped = [each for key, each in content.items() if key.lower() in WRAPPERS and isinstance(each, list | dict)]
    together = _of_lists(content)
    if together is None and len(wrapped) == 1:
        return _records(wrapped[0])
    return _of_object(content) if together is None else together


def _of_splits(content: Mapping[str, Any], splits: Mapping[str, str | None]) -> list[Record] | None:
    """Of what each split has."""
    parts = {key: _records(each) if each else [] for key, each in content.items()}
    if any(part is None for part in parts.values()):
        return None
    return [{SPLIT: splits[key]} | record for key, part in parts.items() for record in part or ()]


def _of_list(content: list[Any]) -> list[Record] | None:
    """Of objects as they are, or of pairs of file and label."""
    if all(isinstance(each, dict) for each in content):
        return content
    if all(isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) for each in content):
        return [{FILE: name, LABEL: label} for name, label in content]
    return None


def _of_lists(content: Mapping[str, Any]) -> list[Record] | None:
    """Of a list of files and one of labels that are as long."""
    names = next((content[key] for key in PATH_KEYS if _is_list_of(content.get(key), str)), None)
    labels = next((content[key] for key in LABEL_KEYS if _is_list_of(content.get(key), (str, int))), None)
    if names is None or labels is None or len(names) != len(labels):
        return None
    return [{FILE: name, LABEL: label} for name, label in zip(names, labels, strict=True)]


def _is_list_of(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, kind) for each in value)


def _of_object(content: Mapping[str, Any]) -> list[Record] | None:
    """Of a label or labels a file, or of the files of each class, which end as images do."""
    if all(isinstance(each, str | int) for each in content.values()):
        return [{FILE: name, LABEL: label} for name, label in content.items()]
    if not all(_is_list_of(each, (str, int)) for each in content.values()):
        return None
    if all(map(_is_image, _flat(content))):
        return [{FILE: name, LABEL: label} for label, names in content.items() for name in names]
    return [{FILE: name, LABEL: labels} for name, labels in content.items()]


def _flat(content: Mapping[str, list[Label]]) -> Iterator[Label]:
    return (each for values in content.values() for each in values)


def _is_image(text: Label) -> bool:
    return isinstance(text, str) and suffix_of(text) in IMAGE_SUFFIXES
