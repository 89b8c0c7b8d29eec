"""Parquet in the Hugging Face layout: a column `image` of {bytes, path} and a column of labels.

Source: the Hugging Face Hub's description of image data sets; class names stand in the schema's metadata, under
`huggingface.info.features`, and a file's split is the word that its name begins with.
"""

import json
import os
import re
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from striate.data.index import Index, build
from striate.data.readers.cached_copy import cached_copy, numbered
from striate.data.readers.folders import SPLIT_FOLDERS
from striate.errors import DataError

AT_A_TIME = 256  # pictures that are copied together
BEGINNING = 100  # files of a folder


def recognises(path: Path) -> bool:
    """Whether `path` is a Parquet file, or a folder that holds some right in it or in a folder of it.

    Of each of these folders, only the beginning is looked at: where there is Parquet, there is little else.
    """
    if path.is_file():
        return path.suffix == ".parquet"
    folders = (path, *(each for each in path.iterdir() if each.is_dir()))
    return any(_begins_with_parquet(folder) for folder in folders)


def _begins_with_parquet(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.name.endswith(".parquet") and entry.is_file() for entry in islice(entries, BEGINNING))


def read(path: Path, label_column: str) -> Index:
    """Reads one Parquet file, or all below a folder; classes are matched between files by name.

    Raises:
        DataError: if a file is not Parquet, lacks a column, or has a label that its class names do not cover.
    """
    root = path.parent if path.is_file() else path
    found = [(file, *_labels(file, label_column)) for file in _files(path)]
    labels = pa.concat_arrays([names for _, names, _, _ in found])
    declared = list(dict.fromkeys(name for *_, names in found for name in names))
    shown: list[str] = pc.unique(labels.drop_null()).to_pylist()
    are_numbers = all(pa.types.is_integer(kind) for _, _, kind, _ in found)
    classes = declared or sorted(shown, key=int if are_numbers else None)
    unknown = sorted(set(shown) - set(classes))
    if unknown:  # another file of the folder declares names
        raise DataError(
            f"{path}: expected labels of the classes that its files declare ({', '.join(classes)}); "
            f"got also {', '.join(unknown)}."
        )
    splits = [_split(file, len(names)) for file, names, _, _ in found]
    return build(
        root,
        classes,
        pa.concat_arrays([numbered(file.relative_to(root).as_posix(), len(names)) for file, names, _, _ in found]),
        label=np.asarray(pc.index_in(labels, value_set=pa.array(classes, pa.string())).fill_null(-1), np.int64),
        split=pa.concat_arrays(splits),
    )


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*.parquet") if file.is_file())


def _split(file: Path, count: int) -> pa.Array:
    """The split of all pictures of a file, by the word that its name begins with."""
    word = re.split(r"[-_.]", file.name)[0].lower()
    return pa.repeat(pa.scalar(SPLIT_FOLDERS.get(word), pa.string()), count)


def _labels(file: Path, label_column: str) -> tuple[pa.Array, pa.DataType, list[str]]:
    """The class name of each row, the type of the labels, and the class names that the file declares, in order."""
    try:
        schema = pq.read_schema(file)
        missing = {"image", label_column} - set(schema.names)
        if missing:
            raise DataError(f"{file}: expected columns image and {label_column}; got {', '.join(schema.names)}.")
        image = schema.field("image").type
        if not pa.types.is_struct(image) or image.get_field_index("bytes") < 0:
            raise DataError(f"{file}: expected a column image of {{bytes, path}}; got {image}.")
        values = pq.read_table(file, columns=[label_column])[label_column].combine_chunks()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{file}: expected Parquet; {error}.") from error
    names = _declared(schema, label_column)
    if names:
        return _named(values, names, file), values.type, names
    if pa.types.is_nested(values.type):
        raise DataError(f"{file}: expected one label a picture in `{label_column}`; got {values.type}.")
    encoded = values.dictionary_encode()
    texts = pa.array([None if value is None else str(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices), values.type, []


def _named(values: pa.Array, names: list[str], file: Path) -> pa.Array:
    """The name of each number; none for null and -1."""
    given = values.drop_null()
    if pa.types.is_integer(given.type):
        given = given.filter(pc.or_(pc.less(given, -1), pc.greater_equal(given, len(names))))
    if len(given):
        raise DataError(
            f"{file}: expected labels 0 to {len(names) - 1}, as it declares {len(names)} names; got {given[0]}."
        )
    numbers = values.cast(pa.int64())
    return pa.array(names).take(pc.if_else(pc.equal(numbers, -1), None, numbers))


def _declared(schema: pa.Schema, label_column: str) -> list[str]:
    """The class names in the schema's metadata; none where it says nothing of them."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in about["info"]["features"][label_column]["names"]]
    except (LookupError, TypeError, ValueError):
        return []


def load_images(path: Path) -> pa.ChunkedArray:
    """The encoded pictures of one file, as a column of bytes, mapped into memory from a copy in the user's cache.

    A picture of a Parquet file can be had only by unpacking all those around it. In the copy, every picture stands on
    its own; it takes as much room as the encoded pictures do.

    Raises:
        DataError: if the file is no Parquet file of pictures.
    """
    try:
        copy = cached_copy(path, "parquet", partial(_unpack, path))
        return pa.ipc.open_file(pa.memory_map(str(copy))).read_all()["bytes"]
    except (OSError, AttributeError, LookupError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: expected a Parquet file of pictures; {error}.") from error


def _unpack(path: Path, to: Path) -> None:
    """Copies the encoded pictures, a few at a time."""
    schema = pa.schema([("bytes", pa.large_binary())])
    with pq.ParquetFile(path) as file, pa.ipc.new_file(str(to), schema) as writer:
        for batch in file.iter_batches(AT_A_TIME, columns=["image"]):
            pictures = batch["image"].field("bytes").cast(pa.large_binary())
            writer.write_batch(pa.record_batch([pictures], schema))
