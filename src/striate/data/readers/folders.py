"""Class folders: SPLIT/CLASS/picture, or CLASS/picture."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.index import Index, build
from striate.errors import DataError

SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
TABLES = {".csv", ".json", ".parquet"}  # suffixes of files that may name classes
NAMED = 5  # files and folders that a note names


def read(root: Path) -> Index:
    """Reads class folders, below split folders where `root` has any.

    Every file below a class folder is a row; one that is no picture by its name stays in the table with that reason.

    Raises:
        DataError: if there is no class folder, or none of them holds a picture.
    """
    top = _folders(root)
    splits = {name: SPLIT_FOLDERS[name.lower()] for name in top if name.lower() in SPLIT_FOLDERS}
    parts: list[tuple[str, str | None]] = [(f"{name}/", split) for name, split in splits.items()] or [("", None)]
    folders = [(prefix, split, name) for prefix, split in parts for name in _folders(root / prefix)]
    if not folders:
        raise DataError(f"data: expected folders of images, one a class; got {root}, which has none.")
    names = sorted({name for _, _, name in folders})

    found = [_paths(root, f"{prefix}{name}") for prefix, _, name in folders]
    paths = pa.concat_arrays(found)
    is_picture = _is_picture(paths)
    if not is_picture.any():
        raise DataError(f"data: expected images in the class folders of {root}; got none.")
    folder = np.repeat(np.arange(len(folders)), [len(each) for each in found])  # (N,) the number of each row's
    return build(
        root,
        names,
        paths,
        label=np.array([names.index(name) for _, _, name in folders])[folder],
        split=pa.array([split for _, split, _ in folders], pa.string()).take(pa.array(folder)),
        reason=_reasons(paths, is_picture),
        notes=_notes(root, set(splits) or set(top)) + _advice(root, names),
    )


def image_files(root: Path) -> list[Path]:
    """All files below `root` that are pictures by their name, in the same order everywhere."""
    return [root / path for path in _files(root, ".") if Path(path).suffix.lower() in IMAGE_SUFFIXES]


def _is_picture(paths: pa.Array) -> NDArray[np.bool_]:
    """(N,) whether each path ends as a picture's does."""
    suffixes = "|".join(sorted(suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES))
    return np.asarray(pc.match_substring_regex(paths, rf"[^/]\.({suffixes})$", ignore_case=True))


def _reasons(paths: pa.Array, is_picture: NDArray[np.bool_]) -> pa.Array:
    """Why rows are left out that are no pictures by their names."""
    others = pa.array(~is_picture)
    suffixes = (Path(path).suffix.lower() for path in paths.filter(others).to_pylist())
    reasons = [f"not a picture by its name ({suffix or 'no suffix'})" for suffix in suffixes]
    return pc.replace_with_mask(pa.nulls(len(paths), pa.string()), others, pa.array(reasons, pa.string()))


def _notes(root: Path, used: set[str]) -> list[str]:
    """What lies in the folder and is not read."""
    others = sorted(f"{entry.name}/" if _is_folder(entry) else entry.name for entry in _shown(root))
    unused = [name for name in others if name.removesuffix("/") not in used]
    more = f" and {len(unused) - NAMED:,} more" if len(unused) > NAMED else ""
    return [f"not read, because outside the class folders: {', '.join(unused[:NAMED])}{more}."] if unused else []


def _advice(root: Path, names: list[str]) -> list[str]:
    """What to give instead, where one folder of pictures lies beside tables that may name their classes."""
    tables = sorted(entry.name for entry in _shown(root) if Path(entry.name).suffix.lower() in TABLES)
    if len(names) > 1 or not tables:
        return []
    return [f"one class folder makes one class; if {' or '.join(tables)} names the classes, give that file."]


def _shown(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder and not hidden."""
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: a file that cannot be read
        return False


def _holds(link: Path, folder: Path) -> bool:
    real = link.resolve()
    return any(above.resolve() == real for above in (folder, *folder.parents))


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in _shown(path) if _is_folder(entry))


def _paths(root: Path, folder: str) -> pa.Array:
    """The paths of all files below `folder`, from `root`."""
    try:
        return pa.array(list(_files(root, folder)), pa.string())
    except UnicodeEncodeError as error:
        raise DataError(f"data: expected names of files in UTF-8; got {error.object!r}. Rename it.") from error


def _files(root: Path, folder: str) -> Iterator[str]:
    """Paths of all files below `folder`, hidden ones apart, relative to `root`, in the same order everywhere.

    Each folder is listed once, and of its files only the names are kept.
    """
    names: list[str] = []
    folders: set[str] = set()
    for entry in _shown(root / folder):
        names.append(entry.name)
        if _is_folder(entry):
            folders.add(entry.name)
            if entry.is_symlink() and _holds(Path(entry.path), root / folder):
                raise DataError(f"{entry.path}: expected no link to a folder that it lies in. Remove the link.")
    for name in sorted(names):
        if name in folders:
            yield from _files(root, f"{folder}/{name}")
        else:
            yield f"{folder}/{name}"
