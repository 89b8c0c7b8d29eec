"""Readers: each turns one layout of pictures on disk into the one Index."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from striate.data.index import Index
from striate.data.readers import boxes, coco, folders, idx, masks, metadata, parquet, table, voc
from striate.errors import DataError

ANNOTATIONS = {
    "metadata.csv or metadata.jsonl": metadata.recognises,
    "a CSV a class": boxes.recognises,
    "COCO JSON": coco.recognises,
    "Pascal VOC XML": voc.recognises,
}


def read(
    path: Path,
    *,
    path_column: str = "path",
    label_column: str = "label",
    label_separator: str = "",
    weight_column: str = "weight",
    image_root: Path | None = None,
    mask_classes: Mapping[str, str] | None = None,
) -> Index:
    """Finds out which layout `path` holds and reads it: the first of those in `docs/data.md` that it fits.

    Args:
        path: a CSV, JSON or Parquet file, an index that striate saved, or a folder.
        path_column: name of a CSV's column of picture paths.
        label_column: name of a CSV's or Parquet file's column of labels.
        label_separator: what parts several labels of one picture in a CSV; none unless given.
        weight_column: name of a CSV's column of how often a picture is drawn, if it has one.
        image_root: folder that a CSV's paths start from; the CSV's own unless given.
        mask_classes: the class of each value of a mask: of a number, or of #rrggbb.

    Raises:
        DataError: if nothing is there, nothing that a reader knows, or annotations of several kinds.
    """
    path = path.expanduser()
    if not path.exists():
        raise DataError(f"data: expected a folder, CSV, JSON or Parquet file; got {path}, which does not exist.")
    _require_one_kind(path)
    layouts: Sequence[tuple[Callable[[Path], bool], Callable[[Path], Index]]] = (
        (boxes.recognises, lambda path: boxes.read(path, image_root)),
        (
            metadata.recognises,
            lambda path: metadata.read(path, label_column, label_separator, weight_column),
        ),
        (
            table.recognises,
            lambda path: table.read(
                path, path_column, label_column, label_separator, image_root or path.parent, weight_column
            ),
        ),
        (Index.recognises, Index.load),
        (parquet.recognises, lambda path: parquet.read(path, label_column)),
        (idx.recognises, idx.read),
        (coco.recognises, lambda path: coco.read(path, image_root)),
        (voc.recognises, voc.read),
        (masks.recognises, lambda path: masks.read(path, mask_classes)),
        (Path.is_dir, folders.read),
    )
    for recognises, reader in layouts:
        if recognises(path):
            return reader(path)
    raise DataError(f"data: expected a folder, CSV, JSON or Parquet file; got {path}.")


def _require_one_kind(path: Path) -> None:
    """Stops where a folder holds annotations of several kinds, of which each would give another data set."""
    kinds = [name for name, recognises in ANNOTATIONS.items() if path.is_dir() and recognises(path)]
    if len(kinds) > 1:
        raise DataError(
            f"data: expected annotations of one kind in {path}; got {' and '.join(kinds)}. "
            "Give the file that is meant, or move the others elsewhere."
        )
