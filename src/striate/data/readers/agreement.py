"""What several readings of the same data say of each other: the same, more, or the rest of it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from striate.data.index import SCHEMA, Index
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import split_of_path

PRIORITY = (  # of readings that say the same, the first is taken
    *("coco", "voc", "cvat", "labelme", "via", "createml", "supervisely", "label-studio", "yolo", "kitti", "boxes"),
    *("bdd", "visdrone", "dota", "icdar", "keras-yolo", "wider", "odgt", "mot", "manifest"),
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
            (layout.name in ("lists", "table") or (layout.name == "folders" and layout.files))
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
    """Class folders with the labels of another split from a list or table, as one reading.

    Tiny ImageNet's val has a list of labels, ImageNet's on Kaggle a table of boxes whose class is the image's.
    """
    folders = next((each for each in left if each[0].name == "folders"), None)
    for labels in left:
        if folders is not None and labels[0].name in ("lists", "table", "boxes"):
            whole = _whole(folders, labels)
            if whole is not None:
                return [whole, *(each for each in left if each is not folders and each is not labels)]
    return list(left)


def _whole(of_folders: Reading, of_labels: Reading) -> Reading | None:
    """Class folders with the images of other splits that labels name; None where they say anything else."""
    (layout, folders), (other, labels) = of_folders, of_labels
    rest, splits = _rest(folders, labels)
    theirs = set(folders.table["split"].to_pylist())
    if not SERVES["locate"](labels) and set(folders.paths()) <= set(labels.paths()):
        return None  # which say all of it without folders
    is_rest = rest and None not in {*splits, *theirs} and not theirs & set(splits)
    if not is_rest or not set(labels.classes) <= set(folders.classes) or labels.several_labels:
        return None
    more = labels.with_classes(folders.classes)
    more = replace(more, table=more.table.take(pa.array(rest))).with_column("split", pa.array(splits, pa.string()))
    for name in ("labels", "box", "boxes", "mask"):
        more = more.with_column(name, pa.nulls(len(rest), SCHEMA.field(name).type))
    table = pa.concat_tables([folders.table, more.table]).combine_chunks()
    notes = [*folders.notes, *labels.notes]
    if SERVES["locate"](labels):
        notes.append(f"boxes beside the classes are not read: {other.what}; --layout {other.name} reads them.")
    what = f"{layout.what}, and {', '.join(dict.fromkeys(map(str, splits)))} by {other.what}"
    kept = tuple(note for note in layout.notes if not note.startswith("images that are not read"))
    found = replace(folders, table=table, notes=tuple(dict.fromkeys(notes)))
    return replace(layout, what=what, notes=kept, files=other.files), found


def _rest(folders: Index, labels: Index) -> tuple[list[int], list[str | None]]:
    """The rows of labels that class folders lack, and their splits; none where the two contradict each other."""
    columns = labels.table.select(["path", "label", "split"]).to_pydict()
    own = zip(folders.paths(), folders.table["label"].to_pylist(), strict=True)
    name_of = {path: folders.classes[label] for path, label in own if label >= 0}
    rest: list[int] = []
    splits: list[str | None] = []
    for row, (path, label, split) in enumerate(zip(*columns.values(), strict=True)):
        if path not in name_of:
            rest.append(row)
            splits.append(split or split_of_path(path))
        elif label >= 0 and labels.classes[label] != name_of[path]:
            return [], []
    return rest, splits


def _said(index: Index) -> dict[str, _Said]:
    """What an index says of each image that it says anything of."""
    columns = index.table.select(["path", "label", "labels", "boxes", "mask", "split"]).to_pydict()
    found: dict[str, _Said] = {}
    names = index.classes
    for path, label, labels, boxes, mask, split in zip(*columns.values(), strict=True):
        objects: tuple[tuple[str, Box], ...] = ()
        own: tuple[str, ...] = ()
        if boxes is not None:
            pairs = zip(labels or (), boxes, strict=True)
            objects = tuple(sorted((names[number], tuple(map(_rounded, box))) for number, box in pairs))
        elif labels is not None:
            own = tuple(names[number] for number in labels)
        elif label >= 0:
            own = (names[label],)
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
