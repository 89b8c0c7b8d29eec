"""Which folder of images a folder of labels or masks belongs to, by what both are called and what they hold."""

from collections.abc import Iterable, Mapping

from striate.data.layouts.finder import stem
from striate.data.layouts.names import (
    CONTAINER_WORDS,
    IMAGE_WORDS,
    LABEL_WORDS,
    SPLIT_WORDS,
    parts_of,
    split_of_path,
    words,
)
from striate.data.layouts.tree import Folder

ASIDE = IMAGE_WORDS | LABEL_WORDS | CONTAINER_WORDS | {"ground", "truth", "class", "color", "colour", "raw", "dir"}


def key_of(path: str) -> tuple[str, ...]:
    """What a folder's path has besides words that say images or labels: equal for two that belong together.

    >>> key_of("train/images") == key_of("labels/train") == key_of("trainannot") == ("train",)
    True
    """
    found = (SPLIT_WORDS.get(word, word) for name in path.split("/") for word in words(name) if word not in ASIDE)
    return tuple(sorted(found))


def paired(labels: Mapping[str, Iterable[str]], images: Iterable[Folder]) -> dict[str, list[Folder]]:
    """The folders of images of each folder of labels: one or, where its labels are of several splits, one a split.

    Of folders of images with stems in common, it is the folder itself, else one whose path differs only in words that
    say images or labels, else the one with most stems in common, of equals the nearest. Folders of different splits
    never belong together, however alike their names.

    Args:
        labels: the stems that a folder of labels holds, by its path.
        images: folders that may hold the images.
    """
    of_image = {folder.path: frozenset(map(stem, folder.images)) for folder in images}
    by_path = {folder.path: folder for folder in images}
    keys = {path: key_of(path) for path in of_image}
    splits = {path: split_of_path(path) for path in of_image}
    found: dict[str, list[Folder]] = {}
    for path, names in labels.items():
        stems = frozenset(names)
        if stems & of_image.get(path, frozenset()):
            found[path] = [by_path[path]]
            continue
        split, key = split_of_path(path), key_of(path)
        fitting = (each for each in of_image if split is None or splits[each] in (split, None))
        common = {each: shared for each in fitting if (shared := stems & of_image[each])}
        alike = [each for each in common if keys[each] == key and each != path]
        parts = [] if alike or split else _of_splits(common, splits)
        if common:
            best = max(alike or common, key=lambda each: _fit(path, each, common[each]))
            found[path] = [by_path[each] for each in parts or [best]]
    return found


def rival(labels: str, stems: frozenset[str], chosen: Folder, images: Iterable[Folder]) -> Folder | None:
    """Another folder that could hold the images of a folder of labels just as well as the chosen one, if there is."""
    if key_of(chosen.path) == key_of(labels) or chosen.path == labels:
        return None
    split = split_of_path(labels)
    fit = _fit(labels, chosen.path, stems & frozenset(map(stem, chosen.images)))
    for each in images:
        shared = stems & frozenset(map(stem, each.images))
        is_as_good = each.path != chosen.path and shared and _fit(labels, each.path, shared) == fit
        if is_as_good and (split is None or split_of_path(each.path) in (split, None)):
            return each
    return None


def _of_splits(common: Mapping[str, frozenset[str]], splits: Mapping[str, str | None]) -> list[str]:
    """Folders of images that are the splits of what one folder of labels holds; none where none are."""
    found = [splits[each] for each in common]
    count = len(frozenset().union(*common.values()))
    are_parts = None not in found and len(set(found)) == len(found) > 1
    return list(common) if are_parts and sum(map(len, common.values())) == count else []


def _fit(labels: str, images: str, common: frozenset[str]) -> tuple[int, int, bool]:
    """How many stems and how many names of folders are in common, and whether a name says images."""
    names = images.split("/")
    near = len(set(labels.split("/")) & set(names))
    return len(common), near, any(parts_of(name).role == "images" for name in names)
