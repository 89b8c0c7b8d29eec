"""Class folders: which folders are splits, which are classes, and where that could be read in two ways."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from striate.data.layouts.class_doubts import doubt_of
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import ClassFolder, Layout
from striate.data.layouts.list_splits import split_lists
from striate.data.layouts.names import (
    UNLABELLED_WORDS,
    fold_of,
    is_container,
    is_part_of_many,
    natural_key,
    parts_of,
    split_and_class,
    split_of,
    telling_splits,
    words,
)
from striate.data.layouts.tree import Folder, Tree
from striate.files import list_names

TOP, DEEPER = "folders", "subfolders"


@dataclass
class _Found:
    """Class folders of one or several splits, and what is beside them."""

    classes: list[ClassFolder] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    """Paths of folders where a class would be, which hold no image."""

    unlabelled: list[Folder] = field(default_factory=list)
    """Folders of images that belong to no class."""

    outside: list[str] = field(default_factory=list)
    """Paths of what lies beside class folders and is not read."""

    deeper: list[ClassFolder] = field(default_factory=list)
    """The other reading, where class folders may lie one level deeper."""

    listed: dict[str, str] = field(default_factory=dict)
    """The split of each image that a list of the data's names."""

    notes: list[str] = field(default_factory=list)
    doubt: str = ""
    """Why this is hardly all that is meant."""

    def add(self, other: "_Found") -> None:
        """Takes another split's in."""
        self.classes += other.classes
        self.empty += other.empty
        self.unlabelled += other.unlabelled
        self.outside += other.outside
        self.deeper += other.deeper


def find(tree: Tree, finder: ImageFinder) -> list[Layout]:
    """The readings of a tree as class folders: none, one, or two where the depth of the classes is not plain.

    Where no folder says a split, text files that list the images of splits do.
    """
    if not tree.top.count:
        return []
    top, beside = _unwrapped(tree.top)
    splits = _splits(top)
    found = _of_splits(top, splits) if splits is not None else _of_folds(top) or _by_suffix(top) or _of_part(top, None)
    found.outside = beside + found.outside
    if not found.classes:
        return []
    if not any(each.split for each in found.classes):
        found.listed, notes = split_lists(tree, finder)
        found.notes += notes
    readings = [_layout(tree, TOP, found, found.classes)]
    if found.deeper and len({each.name for each in found.deeper}) > 1:
        readings.append(_layout(tree, DEEPER, found, found.deeper))
    return readings


def _unwrapped(folder: Folder) -> tuple[Folder, list[str]]:
    """The folder that the data begins in: what only wraps another folder is opened; and what lies beside on the way."""
    beside: list[str] = []
    while True:
        inner = folder.with_images()
        wraps = len(inner) == 1 and not folder.images and not inner[0].images and split_of(inner[0].name) is None
        if not wraps or _may_be_classes(folder):
            return folder, beside
        beside += [folder.path_of(name) for name in folder.others]
        beside += [f"{other.path}/" for other in folder.folders.values() if other is not inner[0]]
        folder = inner[0]


def _may_be_classes(folder: Folder) -> bool:
    """Whether a folder holds an empty folder beside one that holds only one more: a class that is yet to be filled."""
    [inner] = folder.with_images()
    empty = [each for each in folder.folders.values() if _is_empty(each)]
    return bool(empty) and len(inner.with_images()) == 1 and not is_container(inner.name)


def _is_empty(folder: Folder) -> bool:
    return not folder.count and not folder.others and not folder.folders


def _splits(top: Folder) -> dict[str, str] | None:
    """The split of each folder that is one, by name; None where no folder is, or the names are of classes too."""
    inner = top.with_images()
    found = {folder.name: split for folder in inner if (split := split_of(folder.name)) is not None}
    if found:
        return found
    named = {folder.name: parts_of(folder.name) for folder in inner}
    rests = {parts.rest for parts in named.values() if parts.split}
    if len(rests) == 1 and sum(parts.split is not None for parts in named.values()) > 1:  # asl_train and asl_test
        return {name: parts.split for name, parts in named.items() if parts.split}
    return None


def _of_splits(top: Folder, splits: dict[str, str]) -> _Found:
    found = _Found()
    if any(_has_classes(top.folders[name]) for name in splits):
        _take_alike(top, splits, found)
        for name, split in splits.items():
            found.add(_of_part(_unwrapped_split(top.folders[name]), split))
        found.outside += [top.path_of(name) for name in (*top.images, *top.others)]
        found.outside += [f"{folder.path}/" for name, folder in top.folders.items() if name not in splits]
        _move_unknown(found)
        return found
    others = [folder for folder in top.with_images() if folder.name not in splits]
    whole = _unwrapped_split(others[0]) if len(others) == 1 else None
    inner = _splits(whole) if whole is not None else None
    if whole is not None and inner is not None and any(_has_classes(whole.folders[name]) for name in inner):
        found = _of_splits(whole, inner)  # a flat test/ beside the folder of the others
        found.unlabelled += [top.folders[name] for name in splits]
        return found
    if others:  # a class may be called as a split is
        return _of_part(top, None)
    found.unlabelled = [top.folders[name] for name in splits]
    return found


def _take_alike(top: Folder, splits: dict[str, str], found: _Found) -> None:
    """Adds to the splits a folder beside them that holds their classes and names one more, such as public_test.

    One that names none is in doubt, because images of these classes would not be read.
    """
    classes = {each.name for name in splits for each in _unwrapped_split(top.folders[name]).with_images()}
    for folder in top.with_images():
        below = {each.name for each in _unwrapped_split(folder).with_images()}
        if folder.name in splits or len(classes) < 2 or 2 * len(below & classes) < len(classes):
            continue
        if below >= splits.keys():  # the whole set once more
            continue
        split = parts_of(folder.name).split
        if split is not None and split not in splits.values():
            splits[folder.name] = split
        else:
            found.doubt = f"{folder.path}/ holds the same classes and is no split by its name, train, val or test"


def _of_folds(top: Folder) -> _Found | None:
    """Class folders in folders of folds, such as fold1 to fold5, or 1 to 5 in `folds`: the first is val."""
    numbers = {folder.name: fold_of(folder.name, top.name) for folder in top.with_images()}
    folds = sorted(number for number in numbers.values() if number is not None)
    parts = [{each.name for each in folder.with_images()} for folder in top.with_images()]
    if len(set(folds)) < 2 or len(folds) < len(numbers) or any(folder.images for folder in top.with_images()):
        return None
    if not parts[0] or any(each != parts[0] for each in parts) or any(map(split_of, parts[0])):
        return None
    found = _Found(outside=[top.path_of(name) for name in (*top.images, *top.others)])
    for name, number in numbers.items():
        found.add(_of_part(top.folders[name], "val" if number == folds[0] else "train"))
    first = next(name for name, number in numbers.items() if number == folds[0])
    found.notes.append(f"{len(folds)} folds in folders: {first} is val, and the others are train.")
    return found


def _has_classes(part: Folder) -> bool:
    return any(not is_container(folder.name) for folder in _unwrapped_split(part).with_images())


def _unwrapped_split(part: Folder) -> Folder:
    """A split's folder without what only wraps its class folders, such as seg_train/seg_train/."""
    while not part.images:
        inner = part.with_images()
        if len(inner) != 1 or (inner[0].images and not is_container(inner[0].name)) or not inner[0].folders:
            break
        part = inner[0]
    return part


def _move_unknown(found: _Found) -> None:
    """Takes folders out of the classes that hold the images without a label of one split, such as test/unknown/."""
    taught = {each.name for each in found.classes if each.split == "train"}
    if len(taught) < 2:
        return
    for split in ("val", "test"):
        of_split = [each for each in found.classes if each.split == split]
        names = {each.name for each in of_split}
        if len(names) == 1 and not names & taught and _is_unlabelled(names.pop(), split):
            found.classes = [each for each in found.classes if each.split != split]
            found.deeper = [each for each in found.deeper if each.split != split]
            found.unlabelled += [each.folder for each in of_split]


def _is_unlabelled(name: str, split: str) -> bool:
    return is_container(name) or parts_of(name).split == split or bool(UNLABELLED_WORDS & set(words(name)))


def _of_part(part: Folder, split: str | None) -> _Found:
    """The class folders right in a folder."""
    inner = part.with_images()
    again = [folder for folder in inner if _repeats(folder, inner)]
    inner = [folder for folder in inner if folder not in again]
    found = _Found(outside=[part.path_of(name) for name in part.others] + [f"{folder.path}/" for folder in again])
    if not inner:
        found.unlabelled = [part]
        return found
    found.outside += [part.path_of(name) for name in part.images]
    found.empty = [folder.path for folder in part.folders.values() if _is_empty(folder)]
    found.outside += [f"{each.path}/" for each in part.folders.values() if not each.count and not _is_empty(each)]
    below = {split_of(deeper.name) for folder in inner for deeper in folder.with_images()}
    if split is None and None not in below and below and not any(folder.images for folder in inner):
        for folder in inner:  # ants/train, ants/test, bees/train, ... or 2021/train/ants, 2021/test/bees, ...
            parts = [(_unwrapped_split(deeper), split_of(deeper.name)) for deeper in folder.with_images()]
            found.classes += [
                ClassFolder(deeper, folder.name, split_of(deeper.name)) for deeper in folder.with_images()
            ]
            if _may_be_deeper([part for part, _ in parts]):
                found.deeper += [
                    ClassFolder(each, each.name, of_part) for part, of_part in parts for each in part.with_images()
                ]
        return found
    found.classes = [ClassFolder(folder, folder.name, split) for folder in inner]
    opened = [_unwrapped_split(folder) for folder in inner]
    if _may_be_deeper(opened):
        found.deeper = [ClassFolder(deeper, deeper.name, split) for folder in opened for deeper in folder.with_images()]
    return found


def _repeats(folder: Folder, beside: Sequence[Folder]) -> bool:
    """Whether a folder holds all the classes that lie beside it once more, as archives that were packed twice do."""
    below = {each.name for each in folder.with_images()}
    others = {each.name for each in beside if each is not folder}
    return len(others) > 1 and not folder.images and below == others


def _may_be_deeper(classes: Sequence[Folder]) -> bool:
    """Whether the folders in class folders may be the classes: each image lies in one, and their names say no other."""
    below = [deeper for folder in classes for deeper in folder.with_images()]
    if any(folder.images for folder in classes) or not below:
        return False
    if all(len(folder.with_images()) == 1 for folder in classes):
        return False
    return not all(is_container(deeper.name) or is_part_of_many(deeper.name) for deeper in below)


def _by_suffix(top: Folder) -> _Found | None:
    """Class folders whose names hold their split, such as ants_train, ants_test, bees_train, bees_test."""
    inner = top.with_images()
    named = [(folder, split_and_class(folder.name)) for folder in inner]
    if len(inner) < 2 or any(each is None for _, each in named):
        return None
    found = _Found(outside=[top.path_of(name) for name in (*top.images, *top.others)])
    found.classes = [ClassFolder(folder, each[1], each[0]) for folder, each in named if each is not None]
    found.empty = [folder.path for folder in top.folders.values() if not folder.count]
    return found


def _layout(tree: Tree, name: str, found: _Found, classes: list[ClassFolder]) -> Layout:
    classes, spelt = _spelt_alike(classes)
    names = sorted({each.name for each in classes}, key=natural_key)
    empty = [path for path in found.empty if path.rpartition("/")[2] not in names]
    notes = [
        (
            f"{'class folders' if len(empty) > 1 else 'a class folder'} without an image, which "
            f"{'are no classes' if len(empty) > 1 else 'is no class'}: {list_names(empty)}.",
            empty,
        ),
        (
            f"class folders without an image: {list_names(path for path in found.empty if path not in empty)}.",
            len(found.empty) > len(empty),
        ),
        (
            "images that are not read, because they lie in no class folder: "
            f"{list_names(_counted(each) for each in found.unlabelled)}.",
            found.unlabelled,
        ),
        (f"not read, because outside the class folders: {list_names(sorted(found.outside), 5)}.", found.outside),
    ]
    doubt = found.doubt or doubt_of(tree, names, classes, found.outside)
    alone = f", all of one class, {names[0]}" if len(names) == 1 and not doubt else ""
    return Layout(
        name,
        _what(name, classes, found.listed) + alone,
        tree,
        classes=tuple(classes),
        splits=found.listed,
        doubt=doubt,
        notes=(*found.notes, *spelt, *(note for note, applies in notes if applies)),
    )


def _spelt_alike(classes: list[ClassFolder]) -> tuple[list[ClassFolder], list[str]]:
    """The classes with names in one spelling: accents are composed, capitals and spaces as in the first split's.

    Names that differ in these within one split stay apart.
    """
    composed = [replace(each, name=unicodedata.normalize("NFC", each.name)) for each in classes]
    spellings: dict[str, dict[str, set[str | None]]] = {}
    for each in composed:
        key = " ".join(words(each.name)) if len(each.name) > 2 else each.name.casefold()
        spellings.setdefault(key or each.name, {}).setdefault(each.name, set()).add(each.split)
    same: dict[str, str] = {}
    for names in spellings.values():
        splits = [split for found in names.values() for split in found]
        if len(names) > 1 and len(splits) == len(set(splits)):
            same |= dict.fromkeys(names, next(iter(names)))
    others = [name for name, first in same.items() if name != first]
    notes = (
        [f"classes whose names differ in capitals or signs between splits are one: {list_names(others)}."]
        if others
        else []
    )
    return [replace(each, name=same.get(each.name, each.name)) for each in composed], notes


def _counted(folder: Folder) -> str:
    return f"{folder.path or '.'}/ ({folder.count:,})"


def _what(name: str, classes: Iterable[ClassFolder], listed: Mapping[str, str]) -> str:
    """The kind, and the splits with the folders that they were read from."""
    kind = "class folders" if name == TOP else "class folders one level deeper"
    parts: dict[str, list[str]] = {}
    for each in classes:
        if each.split is not None:
            folder = next(
                (part for part in each.folder.path.split("/") if parts_of(part).split == each.split or fold_of(part)),
                "",
            )
            parts.setdefault(each.split, [])
            if folder not in parts[each.split]:
                parts[each.split].append(folder)
    named = [split if folders == [split] else f"{split} ({list_names(folders, 3)})" for split, folders in parts.items()]
    order = ("train", "val", "test")
    named += telling_splits(listed.values())
    named.sort(key=lambda text: order.index(text.split(" ", 1)[0]))
    return f"{kind} in split{'s' if len(named) > 1 else ''} {', '.join(named)}" if named else kind
