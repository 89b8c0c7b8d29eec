"""Names of classes, in the order of the logits: from a text file, and ImageNet's, which striate comes with."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from striate.errors import WeightsError
from striate.files import fit_to_print, list_names, read_text

MOST_BYTES = 1 << 24  # of a file of names
IMAGENET_SHA256 = "e53beff0d64ef5b6081faa65c73af9453a826550c5bbd95d4db4501ebe07e454"  # `names_digest` of ImageNet's


def class_names(path: Path) -> tuple[str, ...]:
    """The names in a text file: a line each, or the last of its columns where tabs separate them.

    A first column of whole numbers must count from 0. A name that occurs twice is told apart by the column before it,
    as in `crane (n02012849)`: classes are matched by name.

    Raises:
        WeightsError: the file is not there or not such text, its numbers are not in order, or names stay equal.
    """
    lines = _rows(path)
    if not lines:
        raise WeightsError(f"{path}: expected the names of classes, a line each; got none.")
    if all(len(line) > 1 and line[0].strip().isdecimal() for line in lines):
        for number, line in enumerate(lines):
            if line[0].strip().lstrip("0") != str(number).lstrip("0"):
                got = fit_to_print(line[0], 40)
                raise WeightsError(f"{path}: expected the classes in order; got {got} where {number} should be.")
    names = [line[-1].strip() for line in lines]
    count = Counter(names)
    told_apart = [
        f"{name} ({line[-2].strip()})" if count[name] > 1 and len(line) > 1 else name
        for name, line in zip(names, lines, strict=True)
    ]
    twice = sorted(name for name, times in Counter(told_apart).items() if times > 1)
    if twice:
        raise WeightsError(f"{path}: expected each class under a name of its own; got twice {list_names(twice)}.")
    return tuple(told_apart)


def _rows(path: Path) -> list[list[str]]:
    """The columns of each line that is not empty."""
    try:
        text = read_text(path, most=MOST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = fit_to_print(str(error), 200)
        raise WeightsError(f"{path}: expected the names of classes as text in UTF-8; {reason}.") from error
    return [line.removesuffix("\r").split("\t") for line in text.split("\n") if line.strip()]


def names_digest(names: Sequence[str]) -> str:
    r"""The sha256 of the names in their order, separated by newlines, in UTF-8."""
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()


@cache
def imagenet_classes() -> tuple[str, ...]:
    """ImageNet's 1,000 class names, by the number of the logit; the two called crane carry their WordNet ids.

    Source: the synsets of ILSVRC 2012 in the order of their WordNet ids, which every published net uses.

    Raises:
        WeightsError: this installation's list is not the one that striate was released with.
    """
    path = Path(__file__).with_name("imagenet_classes.tsv")
    names = class_names(path)
    if names_digest(names) != IMAGENET_SHA256:
        raise WeightsError(f"{path}: expected ImageNet's class names; got another list. Try to install striate anew.")
    return names


@cache
def wordnet_ids() -> tuple[str, ...]:
    """The WordNet id of each ImageNet class, such as n01440764, by the number of the logit."""
    imagenet_classes()  # checks the order
    return tuple(row[1] for row in _rows(Path(__file__).with_name("imagenet_classes.tsv")))


def names_of(digest: str) -> tuple[str, ...]:
    """The class names whose `names_digest` this is, where striate comes with them; else none."""
    return imagenet_classes() if digest == IMAGENET_SHA256 else ()
