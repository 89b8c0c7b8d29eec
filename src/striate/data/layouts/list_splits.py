"""The split of each image by the lists of a data set: one a split, or one of each image and its split."""

import re
from collections import Counter

from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.lists import BOTH, ImageList, lists_of
from striate.data.layouts.tree import Tree
from striate.files import list_names

NUMBERED = re.compile(r"(.*?)[ _.-]*([0-9]{1,3})")  # train1.txt to train10.txt: ten ways to part the same images


def split_lists(tree: Tree, finder: ImageFinder) -> tuple[dict[str, str], list[str]]:
    """The split of each image by the lists of a tree that name one, and what is worth a word about them.

    Where only a list of val or of test is there, the images that it does not name are for train. Of lists that are
    numbered, the lowest number counts.
    """
    splits: dict[str, str] = {}
    used: list[str] = []
    lists = [each for each in lists_of(tree, finder) if each.split is not None or each.partition]
    lists, notes = _of_lowest_number(lists)
    for each in sorted(lists, key=lambda each: (not each.partition, each.name.lower().endswith(BOTH))):
        found = _splits_of(each, finder)
        if each.name.lower().endswith(BOTH):
            found = {path: split for path, split in found.items() if path not in splits}
        if any(splits.get(path, split) != split for path, split in found.items()):
            return {}, [f"lists of splits that contradict each other are not read: {each.file} and another."]
        splits |= found
        used.append(each.file)
    if not used:
        return {}, []
    if "train" not in splits.values():
        rest = (folder.path_of(name) for folder in tree.top.walk() for name in folder.images)
        splits |= {path: "train" for path in rest if path not in splits}
    return splits, [f"splits by {list_names(used, 3)}.", *notes]


def _splits_of(each: ImageList, finder: ImageFinder) -> dict[str, str]:
    """The split of each image that a list names."""
    partition, split = each.partition, each.split or ""
    found = ((finder.find(text, each.folder, each.split), label) for text, label in each.rows)
    if partition:
        return {path: partition[label] for path, label in found if path is not None and label in partition}
    return {path: split for path, _ in found if path is not None}


def _of_lowest_number(lists: list[ImageList]) -> tuple[list[ImageList], list[str]]:
    """The lists without those that are another way to part the same images, and a word on it."""
    parted = {each.file: NUMBERED.fullmatch(each.name) for each in lists}
    counts = Counter((each.folder, match[1]) for each in lists if (match := parted[each.file]))
    if max(counts.values(), default=1) < 2:
        return lists, []
    lowest = min(int(match[2]) for match in parted.values() if match)
    left = [each for each in lists if (match := parted[each.file]) is None or int(match[2]) == lowest]
    many = max(counts.values())
    return left, [f"of {many} numbered ways to part the images, number {lowest} is taken."]
