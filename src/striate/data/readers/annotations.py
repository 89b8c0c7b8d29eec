"""What the readers of objects share: the objects of each image, and the index that they become."""

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from striate.augment import Size
from striate.data.decode import UnreadableError, open_image
from striate.data.index import Index, build
from striate.data.layouts.names import natural_key, split_of_path, telling_splits
from striate.data.layouts.tree import Tree
from striate.data.paths import SafePaths, file_of
from striate.errors import DataError
from striate.recipe.ranges import MOST_FILE_PIXELS

SAMPLE = 40  # images whose size is compared with that in their annotations
THREADS = 8  # that read the headers of images, which mostly wait for the disk
Box = Sequence[float]  # xmin, ymin, xmax, ymax in pixels


@dataclass
class AnnotatedImage:
    """The objects of one image."""

    names: list[str] = field(default_factory=list)
    """The class of each."""

    boxes: list[Box] = field(default_factory=list)
    """The box of each."""

    split: str | None = None
    mask: str | None = None
    size: Size = (0, 0)
    """Width and height as the annotations say them; zeros where they do not."""

    def add(self, name: str, box: Box) -> None:
        """Takes in one object."""
        self.names.append(name)
        self.boxes.append(box)


def index_of(
    root: Path,
    annotations: Mapping[str, AnnotatedImage],
    *,
    classes: Sequence[str] | None = None,
    reasons: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
    mask_classes: Sequence[str] = (),
    mask_values: Mapping[int, int] | None = None,
) -> Index:
    """An index of images with objects, in the order of their paths.

    Args:
        root: folder that the paths start from.
        annotations: by the path of the image.
        classes: names by class number; those that objects have, as people count, unless given.
        reasons: why an image is left out, by path.
        notes: what was left out, in sentences.
        mask_classes: names of the class numbers in masks.
        mask_values: class number of each value in masks; each number is its own unless given.
    """
    shown = {name for each in annotations.values() for name in each.names}
    classes = sorted(shown, key=natural_key) if classes is None else [name for name in classes if name in shown]
    number = {name: place for place, name in enumerate(classes)}
    paths = sorted(annotations)
    rows = [annotations[path] for path in paths]
    safe = SafePaths(root)
    return build(
        root,
        classes,
        paths,
        labels=[[number[name] for name in row.names] for row in rows],
        boxes=[row.boxes for row in rows],
        mask=[row.mask for row in rows],
        split=[row.split for row in rows] if telling_splits(row.split for row in rows) else None,
        reason=[(reasons or {}).get(path) or safe(path) for path in paths],
        mask_classes=mask_classes,
        mask_values=mask_values if mask_values is not None else {i: i for i in range(len(mask_classes))},
        notes=[*notes, *_count_note(rows)],
    )


def _count_note(rows: Sequence[AnnotatedImage]) -> list[str]:
    empty = sum(not row.names for row in rows)
    return [f"images without objects: {empty:,}."] if empty else []


def sizes_of(root: Path, paths: Sequence[str]) -> dict[str, Size]:
    """Width and height of each upright image by its path; one that cannot be opened is left out."""
    safe = SafePaths(root)

    def size(path: str) -> Size | None:
        try:
            return None if safe(path) else open_image(file_of(root, path), MOST_FILE_PIXELS).size
        except (UnreadableError, OSError):
            return None

    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        sizes = pool.map(size, paths)
        return {path: found for path, found in zip(paths, sizes, strict=True) if found is not None}


def require_sizes(root: Path, said: Mapping[str, tuple[Size, Sequence[Box]]], file: str) -> None:
    """Refuses annotations of images that were resized since: their boxes are for the size that the file says.

    Boxes that reach out of the size that is said show that it is no size at all, and nothing is refused.

    Args:
        root: folder that the paths start from.
        said: width, height and boxes of each image, as a file says them, by its path.
        file: that says it.

    Raises:
        DataError: if most images have another size, also when they are turned.
    """
    paths = [path for path, (size, boxes) in said.items() if min(size) > 0 and boxes and _are_within(size, boxes)]
    sample = paths[:: max(len(paths) // SAMPLE, 1)]
    sizes = sizes_of(root, sample)
    others = [path for path, (width, height) in sizes.items() if {width, height} != set(said[path][0])]
    if 2 * len(others) > len(sizes) and 2 * len(paths) > len(said):
        path = others[0]
        (width, height), (said_width, said_height) = sizes[path], said[path][0]
        raise DataError(
            f"{root / file}: expected annotations of images as they are here; got those of "
            f"{said_width} x {said_height} pixels for {path:.200}, which has {width} x {height}. Give the images as "
            "they were, or scale the boxes."
        )


def _are_within(size: Size, boxes: Iterable[Box]) -> bool:
    """Whether boxes lie in an image, but for a pixel."""
    return all(x0 >= -1 and y0 >= -1 and x1 <= size[0] + 1 and y1 <= size[1] + 1 for x0, y0, x1, y1 in boxes)


def with_siblings(tree: Tree, annotations: dict[str, AnnotatedImage]) -> dict[str, AnnotatedImage]:
    """The same, and every other image that lies right beside an annotated one, as an image without objects."""
    folders = {path.rpartition("/")[0] for path in annotations}
    for path in folders:
        folder = tree.folder(path)
        for name in folder.images if folder else ():
            annotations.setdefault(f"{path}/{name}" if path else name, AnnotatedImage(split=split_of_path(path)))
    return annotations
