"""Lists of images and labels in text files, one a line."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from striate.data.index import Index, build
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import Layout, UnrelatedError
from striate.data.layouts.list_splits import split_lists
from striate.data.layouts.lists import read_list
from striate.data.layouts.names import natural_key, telling_splits
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tree import Tree
from striate.data.paths import SafePaths
from striate.data.readers.class_names import NAME_SUFFIXES, named
from striate.files import list_names

NUMBER = re.compile(r"[0-9]+")


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads a list, or those of several splits.

    Where labels are numbers, their names are those of a file of class names beside, or the part before the number in
    the names of the images, where that goes with the number.

    Raises:
        DataError: if a file lists no image of the tree.
    """
    finder = ImageFinder(layout.tree)
    paths: list[str] = []
    labels: list[str] = []
    splits: list[str | None] = []
    missing, boxed = 0, list[str]()
    for file in layout.files:
        found = read_list(layout.tree, file, finder)
        if found is None:
            raise UnrelatedError(
                f"{layout.tree.read_name(file)}: expected a list of images, one a line; got none that is here."
            )
        boxed += [file] if found.is_boxed else []
        for text, label in found.rows:
            path = finder.find(text, found.folder, found.split)
            if path is None:
                missing += 1
                continue
            paths.append(path)
            labels.append(label)
            splits.append(found.split if len(layout.files) > 1 else None)
    labels, notes = _named(layout.tree, labels, paths)
    if not any(splits):
        by_lists, said = split_lists(layout.tree, finder)
        if telling_splits(by_lists.values()):
            splits = [by_lists.get(path) for path in paths]
            notes += said
    notes += [f"boxes beside the labels are not read: {list_names(boxed, 3)}."] if boxed else []
    notes += [f"left out, lines whose image is not there: {missing:,}."] if missing else []
    classes = sorted(set(labels) - {""}, key=natural_key)
    number = {name: place for place, name in enumerate(classes)}
    safe = SafePaths(layout.tree.root)
    return build(
        layout.tree.root,
        classes,
        paths,
        label=[number.get(label, -1) for label in labels],
        split=splits,
        reason=[safe(path) for path in paths],
        notes=notes,
    )


def _named(tree: Tree, labels: list[str], paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels by their names where they are numbers, and a word on where those are from."""
    several = [label.split() for label in labels]
    if all(len(each) > 1 and all(NUMBER.fullmatch(text) for text in each) for each in several if each):
        labels = [each[0] if each else "" for each in several]  # the first of several numbers, as of Oxford's pets
    if not all(NUMBER.fullmatch(label) for label in labels if label):
        return labels, []
    found, notes = named(tree.root, tree.others(*NAME_SUFFIXES), labels)
    if notes:
        return found, notes
    names = {label: _prefix(path) for label, path in zip(labels, paths, strict=True)}
    prefixes = {_prefix(path) for path in paths}
    goes_with = all(names[label] == _prefix(path) for label, path in zip(labels, paths, strict=True))
    if goes_with and len(prefixes) == len(names) > 1 and "" not in prefixes:
        return [names[label] for label in labels], ["classes are named as their images are, which go with the numbers."]
    return labels, []


def _prefix(path: str) -> str:
    """What an image's name has before its number."""
    return re.sub(r"[ _.-]*[0-9]+$", "", PurePosixPath(path).stem)
