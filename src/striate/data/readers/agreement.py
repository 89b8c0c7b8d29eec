"""What several readings of the same data say of each other: the same, more, or the rest of it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from striate.data.index import Index
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import split_of_path

PRIORITY = (  # of readings that say the same, the first is taken
    *("coco", "voc", "cvat", "labelme", "via", "createml", "supervisely", "label-studio", "yolo", "kitti", "boxes"),
    *("bdd", "visdrone", "dota", "icdar", "keras-yolo", "wider", "odgt", "mot"),
    *("folders", "table", "lists", "masks", "runs", "parquet", "idx", "arrays", "subfolders"),
)
PARTIAL = 0.6  # share of the images above which annotations are as plausible as classes of all of them
SERVES: dict[str, Callable[[Index], bool]] = {  # whether an index has what a task learns from
    "segment": lambda index: len(index.mask_classes) > 1,
    "locate": lambda index: index.table["boxes"].null_count < len(index),
    "classify": lambda index: len(index.classes) > 0 and index.table["boxes"].null_count == len(index),
}
DRAWN = "#"  # in the path of a mask that annotations draw; where there is a file too, that is the mask
Box = tuple[float, ...]
Reading = tuple[Layout, Index]


@dataclass(frozen=True)
class _Said:
    """What a reading says of one image."""

    label: tuple[str, ...]
    boxes: tuple[tuple[str, Box], ...]
    mask: str | None
    split: str | None


def without_repeats(read_as: Sequence[Reading]) -> tuple[list[Reading], list[Layout]]:
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


def for_task(read_as: Sequence[Reading], task: str) -> list[Reading]:
    """The readings that a task can learn from, where the task is named and any can; else all."""
    serving = [each for each in read_as if task in SERVES and SERVES[task](each[1])]
    return serving or list(read_as)


def fullest(left: Sequence[Reading]) -> tuple[list[Reading], list[str]]:
    """The list or table of all images' classes, where the others say boxes or masks of few of them; and a word on it.

    Oxford's pets have a breed for each image, and a box of the head for half of them.
    """
    covered = [_covered(*each) for each in left]
    for place, (layout, index) in enumerate(left):
        others = [other for other in range(len(left)) if other != place]
        if (
            layout.name in ("lists", "table")
            and SERVES["classify"](index)
            and all(
                covered[other] < covered[place]
                and len(covered[other]) <= PARTIAL * len(covered[place])
                and not SERVES["classify"](left[other][1])
                for other in others
            )
        ):
            notes = [
                f"not read, because it is of {len(covered[other]):,} of {len(covered[place]):,} images: "
                f"{left[other][0].what}; --layout {left[other][0].name} reads it."
                for other in others
            ]
            return [(layout, index)], notes
    return list(left), []


def _covered(layout: Layout, index: Index) -> set[str]:
    """The images that a reading says something of; of objects, those with a box or in a table."""
    if layout.name == "boxes":
        return set(index.paths())
    if SERVES["locate"](index):
        return {path for path, boxes in zip(index.paths(), index.table["boxes"].to_pylist(), strict=True) if boxes}
    return set(_said(index))


def completed(left: Sequence[Reading]) -> list[Reading]:
    """Class folders with the labels of another split from a table or list, as one reading: Tiny ImageNet's val."""
    if len(left) != 2 or {layout.name for layout, _ in left} not in ({"folders", "lists"}, {"folders", "table"}):
        return list(left)
    (layout, folders), (other, labels) = sorted(left, key=lambda each: each[0].name != "folders")
    paths, taken = labels.paths(), set(folders.paths())
    own = labels.table["split"].to_pylist()
    splits = [split or split_of_path(path) for split, path in zip(own, paths, strict=True)]
    theirs = set(folders.table["split"].to_pylist())
    is_rest = not taken & set(paths) and not {None} & {*splits, *theirs} and not theirs & set(splits)
    if not is_rest or not set(labels.classes) <= set(folders.classes) or labels.several_labels:
        return list(left)
    rest = labels.with_classes(folders.classes).with_column("split", splits)
    table = pa.concat_tables([folders.table, rest.table]).combine_chunks()
    notes = tuple(dict.fromkeys((*folders.notes, *labels.notes)))
    what = f"{layout.what}, and {', '.join(dict.fromkeys(map(str, splits)))} by {other.what}"
    kept = tuple(note for note in layout.notes if not note.startswith("images that are not read"))
    return [(replace(layout, what=what, notes=kept), replace(folders, table=table, notes=notes))]


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
        if mine.boxes and mine.boxes != theirs.boxes:
            return False
        if mine.mask and mine.mask != theirs.mask and not (theirs.mask and DRAWN in mine.mask):
            return False
        if mine.label and theirs.boxes and {name for name, _ in theirs.boxes} == set(mine.label):
            continue
        if set(mine.label) < set(theirs.label):
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
