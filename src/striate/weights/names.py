"""Names of classes from a text file, in the order of the logits."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from striate.errors import WeightsError


def class_names(path: Path) -> tuple[str, ...]:
    """The names in a text file: a line each, or the last of its columns where they are parted by tabs.

    A first column of whole numbers must count from 0. A name that occurs twice is told apart by the column before it,
    as in `crane (n02012849)`: classes are matched by name.

    Raises:
        WeightsError: the file is not there or not such text, its numbers are not in order, or names stay equal.
    """
    try:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: expected the names of classes as text in UTF-8; {error}.") from error
    if not lines:
        raise WeightsError(f"{path}: expected the names of classes, a line each; got none.")
    if all(len(line) > 1 and line[0].strip().isdecimal() for line in lines):
        for number, line in enumerate(lines):
            if int(line[0]) != number:
                raise WeightsError(f"{path}: expected the classes in order; got {line[0]} where {number} should be.")
    names = [line[-1].strip() for line in lines]
    count = Counter(names)
    told_apart = [
        f"{name} ({line[-2].strip()})" if count[name] > 1 and len(line) > 1 else name
        for name, line in zip(names, lines, strict=True)
    ]
    twice = sorted(name for name, times in Counter(told_apart).items() if times > 1)
    if twice:
        raise WeightsError(f"{path}: expected each class under a name of its own; got twice {', '.join(twice)}.")
    return tuple(told_apart)


def names_digest(names: Sequence[str]) -> str:
    r"""The sha256 of the names in their order, parted by newlines, in UTF-8."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
