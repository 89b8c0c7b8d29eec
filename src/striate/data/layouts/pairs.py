"""Which folder of images a folder of labels or masks belongs to, by what both are called and what they hold."""

from collections.abc import Iterable, Mapping

from striate.data.layouts.finder import stem
from striate.data.layouts.names import CONTAINER_WORDS, IMAGE_WORDS, LABEL_WORDS, SPLIT_WORDS, parts_of, words
from striate.data.layouts.tree import Folder

ASIDE = IMAGE_WORDS | LABEL_WORDS | CONTAINER_WORDS | {"ground", "truth", "class", "color", "colour", "raw", "dir"}


def key_of(path: str) -> tuple[str, ...]:
    """What a folder's path has besides words that say images or labels: equal for two that belong together.

    >>> key_of("train/images") == key_of("labels/train") == key_of("trainannot") == ("train",)
    True
    """
    found = (SPLIT_WORDS.get(word, word) for name in path.split("/") for word in words(name) if word not in ASIDE)
    return tuple(sorted(found))


def paired(labels: Mapping[str, Iterable[str]], images: Iterable[Folder]) -> dict[str, Folder]:
    """The folder of images of each folder of labels.

    Of folders of images with stems in common, it is the folder itself, else one whose path differs only in words that
    say images or labels, else the one with most stems in common.

    Args:
        labels: the stems that a folder of labels holds, by its path.
        images: folders that may hold the images.
    """
    of_image = {folder.path: frozenset(map(stem, folder.images)) for folder in images}
    by_path = {folder.path: folder for folder in images}
    keys = {path: key_of(path) for path in of_image}
    found: dict[str, Folder] = {}
    for path, names in labels.items():
        stems = frozenset(names)
        if stems & of_image.get(path, frozenset()):
            found[path] = by_path[path]
            continue
        alike = [each for each, key in keys.items() if key == key_of(path) and each != path]
        best = max(alike or of_image, key=lambda each: _fit(each, stems & of_image[each]), default=None)
        if best is not None and not stems & of_image[best]:
            best = max(of_image, key=lambda each: _fit(each, stems & of_image[each]))
        if best is not None and stems & of_image[best]:
            found[path] = by_path[best]
    return found


def _fit(path: str, common: frozenset[str]) -> tuple[int, bool]:
    return len(common), any(parts_of(name).role == "images" for name in path.split("/"))
