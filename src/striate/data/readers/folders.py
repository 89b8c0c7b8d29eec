"""Class folders: SPLIT/CLASS/picture, or CLASS/picture."""

import os
from collections.abc import Iterator
from pathlib import Path

from striate.data.index import Index, build
from striate.errors import DataError

SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def read(root: Path) -> Index:
    """Reads class folders, below split folders where `root` has any.

    Every file below a class folder is a row; one that is no picture by its name stays in the table with that reason.

    Raises:
        DataError: if there is no class folder, or none of them holds a picture.
    """
    top = _folders(root)
    splits = {name: SPLIT_FOLDERS[name.lower()] for name in top if name.lower() in SPLIT_FOLDERS}
    parts: list[tuple[str, str | None]] = [(f"{name}/", split) for name, split in splits.items()] or [("", None)]
    names = sorted({label for prefix, _ in parts for label in _folders(root / prefix)})
    if not names:
        raise DataError(f"data: expected folders of pictures, one a class; got {root}, which has none.")
    numbers = {name: i for i, name in enumerate(names)}

    paths: list[str] = []
    labels: list[int] = []
    split_of: list[str | None] = []
    reasons: list[str | None] = []
    for prefix, split in parts:
        for name in _folders(root / prefix):
            for path in _files(root, f"{prefix}{name}"):
                suffix = Path(path).suffix.lower()
                paths.append(path)
                labels.append(numbers[name])
                split_of.append(split)
                reasons.append(
                    None if suffix in PICTURE_SUFFIXES else f"not a picture by its name ({suffix or 'no suffix'})"
                )
    if None not in reasons:
        raise DataError(f"data: expected pictures in the class folders of {root}; got none.")
    return build(root, names, paths, label=labels, split=split_of, reason=reasons)


def picture_files(root: Path) -> list[Path]:
    """All files below `root` that are pictures by their name, in the same order everywhere."""
    return [root / path for path in _files(root, ".") if Path(path).suffix.lower() in PICTURE_SUFFIXES]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: a file that cannot be read
        return False


def _holds(entry: os.DirEntry[str], folder: Path) -> bool:
    real = Path(entry.path).resolve()
    return any(above.resolve() == real for above in (folder, *folder.parents))


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(path) if _is_folder(entry) and not entry.name.startswith("."))


def _files(root: Path, folder: str) -> Iterator[str]:
    """Paths of all files below `folder`, hidden ones apart, relative to `root`, in the same order everywhere."""
    for entry in sorted(os.scandir(root / folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            if entry.is_symlink() and _holds(entry, root / folder):
                raise DataError(f"{entry.path}: expected no link to a folder that it lies in. Remove the link.")
            yield from _files(root, f"{folder}/{entry.name}")
        else:
            yield f"{folder}/{entry.name}"
