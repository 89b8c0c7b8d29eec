"""What the readers of boxes share: objects a picture, and where its file lies."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from striate.data.readers.folders import IMAGE_SUFFIXES

IMAGE_FOLDERS = ("jpegimages", "images", "image", "imgs", "img", "pictures", "photos")


@dataclass
class Objects:
    """The objects of one picture."""

    names: list[str] = field(default_factory=list)
    """The class of each."""

    boxes: list[list[float]] = field(default_factory=list)
    """The box of each, xyxy in pixels."""

    split: str | None = None
    mask: str | None = None


def folder_named(root: Path, names: Iterable[str]) -> Path | None:
    """The first folder in `root` that has one of `names`, however it is written."""
    folders = {path.name.lower(): path for path in sorted(root.iterdir(), reverse=True) if path.is_dir()}
    return next((folders[name] for name in names if name in folders), None)


def images_by_stem(folder: Path, root: Path) -> dict[str, str]:
    """Paths, from `root`, of the pictures right in `folder`, by their name without its suffix."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return {path.stem: path.relative_to(root).as_posix() for path in reversed(files)}
