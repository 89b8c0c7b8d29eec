"""Why folders are hardly classes: by their names, by what lies beside them, and by what they hold."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice

import numpy as np

from striate.data.decode import UnreadableError
from striate.data.layouts.annotation_files import tells_of_images
from striate.data.layouts.finder import stem
from striate.data.layouts.layout import ClassFolder
from striate.data.layouts.masks import base, image_base
from striate.data.layouts.names import PROJECT_FOLDERS, is_container, is_part_of_many, parts_of, split_of
from striate.data.layouts.tree import Folder, Tree, suffix_of
from striate.data.masks import stored_values
from striate.files import list_names

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xml", ".mat", ".xlsx", ".xls")
LISTS = (".txt", ".odgt", ".manifest")  # that may say something of images
MANY = 200  # names that are compared with each other, and lists that are looked into
FEW = 6  # folders of which one may hold masks
SAME = 0.9  # share of names that images and their masks have in common
LOOKED_INTO = 4  # images of a folder
LOSSLESS = (".png", ".gif", ".bmp", ".tif", ".tiff")
MOST_PIXELS, MOST_VALUES = 1 << 25, 24  # of a mask that is looked at


def doubt_of(tree: Tree, names: Sequence[str], classes: Sequence[ClassFolder], outside: Sequence[str]) -> str:
    """Why names are hardly those of classes; "" where they may be. `outside` lies beside them and would not be read."""
    return next(_doubts(tree, names, classes, outside), "")


def _doubts(tree: Tree, names: Sequence[str], classes: Sequence[ClassFolder], outside: Sequence[str]) -> Iterator[str]:
    containers = [name for name in names if is_container(name) or name.lower() in PROJECT_FOLDERS]
    if containers:
        yield f"a class would be called {list_names(containers)}"
    unread = _tables_below(tree, outside) if len(names) == 1 else []
    if unread:
        yield f"all images would be of one class, {list_names(names)}, and {list_names(unread, 3)} would not be read"
    small = [name for name in names if name.casefold() != name and name.casefold() in names and len(name) > 2]
    if small:
        yield f"{list_names(small, 3)} would be a class beside that in small letters"
    if any({"images", "labels"} <= _roles(each.folder.folders.values()) for each in classes):
        yield f"each class would hold images and their annotations, such as {classes[0].folder.path}/"
    wrapped = next((path for each in classes if (path := _split_below(each.folder))), "")
    if wrapped:
        yield f"{wrapped}/ would be a part of a class, and no split"
    parts = [parts_of(name) for name in names]
    if any(one.split != other.split and one.rest == other.rest for one, other in combinations(parts[:MANY], 2)):
        yield f"the classes would be called {list_names(names, 4)}, of which some are splits"
    if len(names) == 2 and [each.role for each in parts].count("labels") == 1 and _are_pairs(classes):
        yield f"the classes would be called {list_names(names)}, of which one is of labels"
    drawn = _drawn(tree, classes) if 1 < len(names) <= FEW else ""
    if drawn:
        yield f"{drawn}/ holds masks of the images beside it, by its pixels: call it masks/ for --layout masks"
    if len(names) > 1 and (pair := _pair_in_each(classes)):
        yield f"each class would hold an image and its mask, such as {pair}"
    if len(names) > 1 and all(is_part_of_many(name) or parts_of(name).role for name in names):
        yield f"the classes would be called {list_names(names, 4)}"


def _split_below(folder: Folder) -> str:
    """The path of a folder in a class folder that is a split of class folders by its name; "" where there is none."""
    while len(folder.with_images()) == 1 and not folder.images:
        [folder] = folder.with_images()
    splits = [each for each in folder.with_images() if split_of(each.name) and len(each.with_images()) > 1]
    return splits[0].path if splits else ""


def _pair_in_each(classes: Sequence[ClassFolder]) -> str:
    """The path of a mask by its name, such as `label.png`, where all folders have files of the same names; else ""."""
    first = classes[0].folder
    if not first.images or any(each.folder.images != first.images for each in classes):
        return ""
    parts = {name: parts_of(stem(name)) for name in first.images}
    return next((first.path_of(name) for name, each in parts.items() if each.role == "labels" and not each.rest), "")


def _are_pairs(classes: Sequence[ClassFolder]) -> bool:
    """Whether the images of one folder are called as those of another, but for words that say images or masks."""
    bases = [
        {base(name) for name in each.folder.images} | {image_base(name) for name in each.folder.images}
        for each in classes
    ]
    return all(one & other for one, other in combinations(bases, 2))


def _tables_below(tree: Tree, paths: Sequence[str]) -> list[str]:
    """The files among paths, and in folders among them, that are tables or annotations by their suffix."""
    lists = (path for path in islice(tree.others(*LISTS), MANY) if tells_of_images(tree.read_name(path)))
    files = {*tree.others(*TABLES), *lists}
    return sorted(file for file in files if file in paths or any(file.startswith(p) for p in paths if p.endswith("/")))


def _roles(folders: Iterable[Folder]) -> set[str | None]:
    return {parts_of(folder.name).role for folder in folders}


def _drawn(tree: Tree, classes: Sequence[ClassFolder]) -> str:
    """The path of a folder that holds masks: named as the images beside it are, and of a few values, as those are not.

    "" where there is none.
    """
    folders = [each.folder for each in classes if each.folder.images]
    for folder in folders:
        stems = {stem(name) for name in folder.images}
        others = [each for each in folders if each is not folder and len(stems & set(map(stem, each.images))) > 1]
        alike = [each for each in others if len(stems & set(map(stem, each.images))) >= SAME * len(stems)]
        if alike and _has_few_values(tree, folder) and not all(_has_few_values(tree, each) for each in alike):
            return folder.path
    return ""


def _has_few_values(tree: Tree, folder: Folder) -> bool:
    """Whether some of a folder's images are grey or of a palette, and have no more values than a mask of classes."""
    chosen = folder.images[:: max(len(folder.images) // LOOKED_INTO, 1)][:LOOKED_INTO]
    if not all(suffix_of(name) in LOSSLESS for name in chosen):
        return False
    try:
        values = [stored_values(tree.read_name(folder.path_of(name)), MOST_PIXELS) for name in chosen]
    except UnreadableError:
        return False
    return all(len(np.unique(each)) <= MOST_VALUES for each in values)
