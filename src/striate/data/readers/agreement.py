"""Whether two readings of the same data say the same, so that either may be taken."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from striate.data.index import Index
from striate.data.layouts.layout import Layout

PRIORITY = (  # of readings that say the same, the first is taken
    *("coco", "voc", "cvat", "labelme", "via", "createml", "supervisely", "label-studio", "yolo", "kitti", "boxes"),
    *("folders", "table", "lists", "masks", "parquet", "idx", "arrays", "subfolders"),
)
Box = tuple[float, ...]


@dataclass(frozen=True)
class _Said:
    """What a reading says of one image."""

    label: tuple[str, ...]
    boxes: tuple[tuple[str, Box], ...]
    mask: str | None
    split: str | None


def without_repeats(read_as: Sequence[tuple[Layout, Index]]) -> tuple[list[tuple[Layout, Index]], list[Layout]]:
    """The readings without those that say nothing that another does not say too, and those that were dropped."""
    order = sorted(read_as, key=lambda pair: PRIORITY.index(pair[0].name))
    said = [_said(index) for _, index in order]
    dropped: list[int] = []
    for place in reversed(range(len(order))):
        others = [other for other in range(len(order)) if other != place and other not in dropped]
        if any(
            _says_no_more(said[place], said[other])
            and not (order[other][0].name == "folders" and _has_splits(said[place]) and not _has_splits(said[other]))
            for other in others
        ):
            dropped.append(place)
    left = [pair for place, pair in enumerate(order) if place not in dropped]
    return left, [order[place][0] for place in sorted(dropped)]


def _said(index: Index) -> dict[str, _Said]:
    """What an index says of each image that it says anything of."""
    columns = index.table.select(["path", "label", "labels", "boxes", "mask", "split"]).to_pydict()
    found: dict[str, _Said] = {}
    names = index.classes
    for path, label, labels, boxes, mask, split in zip(*columns.values(), strict=True):
        if boxes is not None:
            pairs = zip(labels or (), boxes, strict=True)
            objects = tuple(sorted((names[number], tuple(map(_rounded, box))) for number, box in pairs))
            own: tuple[str, ...] = ()
        else:
            objects = ()
            own = (
                tuple(names[number] for number in labels)
                if labels is not None
                else (names[label],)
                if label >= 0
                else ()
            )
        if own or objects or mask:
            found[path] = _Said(own, objects, mask, split)
    return found


def _rounded(value: float) -> float:
    """A number that equals itself, also where it is none."""
    return round(value) if math.isfinite(value) else math.inf


def _says_no_more(one: dict[str, _Said], two: dict[str, _Said]) -> bool:
    """Whether all that one reading says of labels, boxes and masks, the other one says too."""
    if not one.keys() <= two.keys():
        return False
    names: dict[str, str] = {}
    for path, mine in one.items():
        theirs = two[path]
        if (mine.boxes and mine.boxes != theirs.boxes) or (mine.mask and mine.mask != theirs.mask):
            return False
        if mine.label and theirs.boxes and {name for name, _ in theirs.boxes} == set(mine.label):
            continue
        if mine.label and len(mine.label) != len(theirs.label):
            return False
        for ours, other in zip(mine.label, theirs.label, strict=False):
            if names.setdefault(ours, other) != other:
                return False
    is_alike = all(ours == other for ours, other in names.items())
    return is_alike or (
        len(set(names.values())) == len(names) > 1 and (_are_numbers(names) or _are_numbers(names.values()))
    )


def _are_numbers(names: Iterable[str]) -> bool:
    return all(name.isdecimal() for name in names)


def _has_splits(said: dict[str, _Said]) -> bool:
    return any(each.split for each in said.values())
