"""Lists of images and labels in text files, one a line."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from striate.data.index import Index, build
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import Layout, UnrelatedError
from striate.data.layouts.lists import read_list
from striate.data.layouts.names import natural_key
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.text_file import read_lines
from striate.data.layouts.tree import Tree
from striate.data.paths import SafePaths

NAMES = ("classes.txt", "class_names.txt", "classnames.txt", "labels.txt", "categories.txt", "names.txt", "obj.names")
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
    missing = 0
    for file in layout.files:
        found = read_list(layout.tree, file, finder)
        if found is None:
            raise UnrelatedError(
                f"{layout.tree.read_name(file)}: expected a list of images, one a line; got none that is here."
            )
        for text, label in found.rows:
            path = finder.find(text, found.folder)
            if path is None:
                missing += 1
                continue
            paths.append(path)
            labels.append(label)
            splits.append(found.split if len(layout.files) > 1 else None)
    labels, notes = _named(layout.tree, labels, paths)
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
    names = {label: _prefix(path) for label, path in zip(labels, paths, strict=True)}
    prefixes = {_prefix(path) for path in paths}
    goes_with = all(names[label] == _prefix(path) for label, path in zip(labels, paths, strict=True))
    if goes_with and len(prefixes) == len(names) > 1 and "" not in prefixes:
        return [names[label] for label in labels], ["classes are named as their images are, which go with the numbers."]
    found = _names_file(tree, {int(label) for label in labels if label})
    if found is None:
        return labels, []
    file, by_number = found
    return [by_number.get(int(label), label) if label else "" for label in labels], [f"names of classes by {file}."]


def _prefix(path: str) -> str:
    """What an image's name has before its number."""
    return re.sub(r"[ _.-]*[0-9]+$", "", PurePosixPath(path).stem)


def _names_file(tree: Tree, numbers: set[int]) -> tuple[str, dict[int, str]] | None:
    """The file of the tree that names as many classes as there are numbers, from 0 or from 1."""
    for path in tree.others(".txt", ".names"):
        if path.rpartition("/")[2].lower() in NAMES:
            names = [line for line in read_lines(tree.read_name(path)) if line]
            for first in (0, 1):
                if (
                    numbers
                    and min(numbers) >= first
                    and max(numbers) < len(names) + first
                    and len(names) >= len(numbers)
                ):
                    return path, dict(enumerate(names, first))
    return None
