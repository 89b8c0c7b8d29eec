"""Parquet in the Hugging Face layout: a column `image` of {bytes, path} and a column of labels.

Source: the Hugging Face Hub's description of image data sets; class names stand in the schema's metadata, under
`huggingface.info.features`, and a file's split is the word that its name begins with.
"""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from striate.data.index import Index, build
from striate.data.readers.folders import SPLIT_FOLDERS
from striate.errors import DataError


def recognises(path: Path) -> bool:
    """Whether `path` is a Parquet file, or a folder that holds some."""
    return path.suffix == ".parquet" if path.is_file() else bool(_files(path))


def read(path: Path, label_column: str) -> Index:
    """Reads one Parquet file, or all below a folder; classes are matched between files by name.

    Raises:
        DataError: if a file is not Parquet, lacks a column, or has a label that its class names do not cover.
    """
    root = path.parent if path.is_file() else path
    paths: list[str] = []
    splits: list[str | None] = []
    labels: list[str | None] = []
    declared: list[str] = []
    for file in _files(path):
        found, names = _labels(file, label_column)
        labels += found
        declared += [name for name in names if name not in declared]
        paths += [f"{file.relative_to(root).as_posix()}#{i}" for i in range(len(found))]
        word = re.split(r"[-_.]", file.name)[0].lower()
        splits += [SPLIT_FOLDERS.get(word)] * len(found)
    classes = declared or sorted({label for label in labels if label is not None})
    numbers = {name: i for i, name in enumerate(classes)}
    unknown = sorted({name for name in labels if name is not None and name not in numbers})
    if unknown:  # another file of the folder declares names
        raise DataError(
            f"{path}: expected labels of the classes that its files declare ({', '.join(classes)}); "
            f"got also {', '.join(unknown)}."
        )
    label = [-1 if name is None else numbers[name] for name in labels]
    return build(root, classes, paths, label=label, split=splits)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*.parquet") if file.is_file())


def _labels(file: Path, label_column: str) -> tuple[list[str | None], list[str]]:
    """The class name of each row, and the class names that the file declares, in their order."""
    try:
        schema = pq.read_schema(file)
        missing = {"image", label_column} - set(schema.names)
        if missing:
            raise DataError(f"{file}: expected columns image and {label_column}; got {', '.join(schema.names)}.")
        image = schema.field("image").type
        if not pa.types.is_struct(image) or image.get_field_index("bytes") < 0:
            raise DataError(f"{file}: expected a column image of {{bytes, path}}; got {image}.")
        values = pq.read_table(file, columns=[label_column])[label_column].to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{file}: expected Parquet; {error}.") from error
    names = _declared(schema, label_column)
    if not names:
        return [None if value is None else str(value) for value in values], []
    wrong = [
        value for value in values if value is not None and not (isinstance(value, int) and -1 <= value < len(names))
    ]
    if wrong:
        raise DataError(
            f"{file}: expected labels 0 to {len(names) - 1}, as it declares {len(names)} names; got {wrong[0]}."
        )
    return [None if value is None or value == -1 else names[value] for value in values], names


def _declared(schema: pa.Schema, label_column: str) -> list[str]:
    """The class names in the schema's metadata; none where it says nothing of them."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in about["info"]["features"][label_column]["names"]]
    except (LookupError, TypeError, ValueError):
        return []


def load_images(path: Path) -> pa.ChunkedArray:
    """The encoded pictures of one file, in memory, as a column of bytes.

    Raises:
        DataError: if the file is no Parquet file of pictures.
    """
    try:
        images = pq.read_table(path, columns=["image"])["image"]
        kind = pa.large_binary()
        return pa.chunked_array([chunk.field("bytes").cast(kind) for chunk in images.chunks], kind)
    except (OSError, AttributeError, LookupError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: expected a Parquet file of pictures; {error}.") from error
