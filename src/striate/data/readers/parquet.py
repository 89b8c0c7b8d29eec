"""Parquet in the Hugging Face layout: a column `image` of {bytes, path} and a column of labels.

Source: the Hugging Face Hub's description of image data sets; class names stand in the schema's metadata, under
`huggingface.info.features`, and a file's split is the word that its name begins with.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from striate.data.index import Index, build
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import natural_key, split_of
from striate.data.layouts.options import LABEL_COLUMN, ReadOptions
from striate.data.layouts.packed import parquet_split
from striate.data.paths import open_arrow
from striate.data.readers.cached_copy import cached_copy, numbered
from striate.data.readers.unpacking import require_room
from striate.errors import DataError
from striate.files import list_names

AT_A_TIME = 256  # images that are copied together
LONGEST_LABEL = 4000  # bytes, on average
SPARE = 1 << 20  # bytes of a column that need no limit
LABELS = (
    "label",
    "labels",
    "fine_label",
    "coarse_label",
    "class",
    "category",
    "target",
    "cls",
    "species",
    "breed",
    "y",
)


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads Parquet files; classes are matched between them by name.

    Raises:
        DataError: if a file is not Parquet, lacks a column, or has a label that its class names do not cover.
    """
    root = layout.tree.root
    _require_one_config(layout)
    found = [(file, *_labels(layout.tree.read_name(file), options.label_column)) for file in layout.files]
    labels = pa.concat_arrays([names for _, names, _, _ in found])
    declared = list(dict.fromkeys(name for *_, names in found for name in names))
    shown: list[str] = pc.unique(labels.drop_null()).to_pylist()
    classes = declared or sorted(shown, key=natural_key)
    unknown = sorted(set(shown) - set(classes))
    if unknown:  # another file of the folder declares names
        raise DataError(
            f"{root}: expected labels of the classes that its files declare ({list_names(classes)}); "
            f"got also {list_names(unknown)}."
        )
    splits = [pa.repeat(pa.scalar(parquet_split(file), pa.string()), len(names)) for file, names, _, _ in found]
    return build(
        root,
        classes,
        pa.concat_arrays([numbered(file, len(names)) for file, names, _, _ in found]),
        label=np.asarray(pc.index_in(labels, value_set=pa.array(classes, pa.string())).fill_null(-1), np.int64),
        split=pa.concat_arrays(splits),
    )


def _require_one_config(layout: Layout) -> None:
    """Stops where folders side by side hold the same splits, and so are several data sets."""
    folders: dict[tuple[str, str | None], set[str]] = {}
    for file in layout.files:
        folder = file.rpartition("/")[0]
        is_split = split_of(folder.rpartition("/")[2]) is not None
        key = folder.rpartition("/")[0] if is_split else folder
        folders.setdefault(("", parquet_split(file)), set()).add(key)
    several = next((sorted(found) for found in folders.values() if len(found) > 1), None)
    if several is not None:
        raise DataError(
            f"data: expected one data set of Parquet files in {layout.tree.root}; got the same split in "
            f"{list_names(several)}. Give one of them."
        )


def _image_column(schema: pa.Schema) -> str | None:
    """The column of encoded images: `image`, else the first of {bytes, path} or of bytes."""
    kinds = {field.name: field.type for field in schema}
    fit = [name for name, kind in kinds.items() if _holds_bytes(kind)]
    return next((name for name in ("image", "img") if name in fit), fit[0] if fit else None)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _label_column(schema: pa.Schema, label_column: str, file: Path) -> str:
    if label_column in schema.names:
        return label_column
    known = [name for name in LABELS if name in schema.names] if label_column == LABEL_COLUMN else []
    if len(known) > 1:
        raise DataError(
            f"{file}: expected one column of labels; got {list_names(known)}. Choose one with --label-column."
        )
    if not known:
        got = list_names(schema.names, 12)
        raise DataError(f"{file}: expected columns image and {label_column}; got {got}. See --label-column.")
    return known[0]


def _labels(file: Path, label_column: str) -> tuple[pa.Array, pa.DataType, list[str]]:
    """The class name of each row, the type of the labels, and the class names that the file declares, in order."""
    try:
        schema = pq.read_schema(open_arrow(file))
        if _image_column(schema) is None:
            if "image" in schema.names:
                raise DataError(
                    f"{file}: expected a column image of {{bytes, path}}; got {schema.field('image').type!s:.100}."
                )
            raise DataError(f"{file}: expected columns image and {label_column}; got {list_names(schema.names, 12)}.")
        label_column = _label_column(schema, label_column, file)
        _require_short(file, label_column)
        values = pq.read_table(open_arrow(file), columns=[label_column])[label_column].combine_chunks()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{file}: expected Parquet; {error}.") from error
    names = _declared(schema, label_column)
    if names:
        return _named(values, names, file), values.type, names
    if pa.types.is_nested(values.type):
        raise DataError(f"{file}: expected one label an image in `{label_column}`; got {values.type}.")
    encoded = values.dictionary_encode()
    texts = pa.array([None if value is None else str(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices), values.type, []


def _require_short(file: Path, column: str) -> None:
    """Stops before labels are read that are far too long for names of classes, by what the file says of their size."""
    with pq.ParquetFile(open_arrow(file)) as opened:
        groups = [opened.metadata.row_group(i) for i in range(opened.metadata.num_row_groups)]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    sizes = [chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] == column]
    rows = sum(group.num_rows for group in groups)
    if sum(sizes) > SPARE + LONGEST_LABEL * rows:
        raise DataError(
            f"{file}: expected labels of at most {LONGEST_LABEL:,} bytes in `{column}`; got {sum(sizes):,} bytes in "
            f"{rows:,} rows. See --label-column."
        )


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
    except (LookupError, TypeError, ValueError, RecursionError):
        return []


def load_images(path: Path) -> pa.ChunkedArray:
    """The encoded images of one file, as a column of bytes, mapped into memory from a copy in the user's cache.

    An image of a Parquet file can be had only by unpacking all those around it. In the copy, every image stands on
    its own; it takes as much room as the encoded images do.

    Raises:
        DataError: if the file is no Parquet file of images.
    """
    try:
        copy = cached_copy(path, "parquet", partial(_unpack, path))
        return pa.ipc.open_file(open_arrow(copy, mapped=True)).read_all()["bytes"]
    except (OSError, AttributeError, LookupError, ValueError, pa.ArrowException) as error:
        require_room(path, error)
        raise DataError(f"{path}: expected a Parquet file of images; {error}.") from error


def _unpack(path: Path, to: Path) -> None:
    """Copies the encoded images, a few at a time."""
    schema = pa.schema([("bytes", pa.large_binary())])
    with pq.ParquetFile(open_arrow(path)) as file, to.open("wb") as target, pa.ipc.new_file(target, schema) as writer:
        name = _image_column(file.schema_arrow) or "image"
        for batch in file.iter_batches(AT_A_TIME, columns=[name]):
            column = batch[name]
            images = column.field("bytes") if pa.types.is_struct(column.type) else column
            writer.write_batch(pa.record_batch([images.cast(pa.large_binary())], schema))
