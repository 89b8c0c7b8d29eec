"""Labels in the names of files: the pattern that a user gives, and one that may be suggested."""

import re
from collections import Counter
from collections.abc import Sequence

from striate.data.layouts.layout import Layout
from striate.data.layouts.names import natural_key
from striate.data.layouts.tree import Tree
from striate.errors import UsageError
from striate.files import list_names

PREFIX = r"^(.+?)[ _.-]*\(?[0-9]+\)?\.[^.]+$"  # cat.0.jpg, ants_001.jpg, bee (7).png
SUFFIX = r"^[0-9]+[ _.-]+(.+?)\.[^.]+$"  # 001_ants.jpg
BEFORE = r"^([^_]+)_"  # ants_dsc0431.jpg
SAMPLE = 2000  # names that tell whether a pattern fits
CLASSES = 50  # a pattern that makes more is hardly one of classes


def find(tree: Tree, pattern: str) -> list[Layout]:
    """The reading by a pattern that the user gives.

    Raises:
        UsageError: if it is no pattern with a group.
    """
    return [Layout("names", f"labels in the names of files, by the pattern {pattern}", tree)] if tree.top.count else []


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern whose group `label`, or its only group, is the label.

    Raises:
        UsageError: if it is not one.
    """
    try:
        found = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"`--label-pattern`: expected a regular expression; got {pattern!r}: {error}.") from error
    if found.groups < 1 or (found.groups > 1 and "label" not in found.groupindex):
        raise UsageError(
            f"`--label-pattern`: expected one group in parentheses, or one called label, (?P<label>...); got "
            f"{found.groups} in {pattern!r}. Try {PREFIX!r}."
        )
    return found


def label_of(path: str, pattern: re.Pattern[str]) -> str:
    """The label in a file's name, or in the whole path where the pattern holds a slash; "" where it does not fit."""
    text = f"/{path}" if "/" in pattern.pattern else path.rpartition("/")[2]
    match = pattern.search(text)
    if match is None:
        return ""
    return (match["label"] if "label" in pattern.groupindex else match[1]) or ""


def suggestion(tree: Tree) -> str:
    """A sentence on a pattern that would give classes, with what it would give; "" where none does."""
    names = [name for folder in tree.top.walk() for name in folder.images]
    names = names[:: max(len(names) // SAMPLE, 1)]
    for pattern in (PREFIX, SUFFIX, BEFORE):
        counts = _counts(names, re.compile(pattern))
        if counts:
            shown = list_names(
                f"{name} ({count})" for name, count in sorted(counts.items(), key=lambda c: natural_key(c[0]))
            )
            return f"If labels are in the names of files, give --label-pattern '{pattern}': {shown}."
    return ""


def _counts(names: Sequence[str], pattern: re.Pattern[str]) -> Counter[str]:
    """Images by label, where the pattern parts most of them into a few classes of at least two."""
    counts = Counter(label for name in names if (label := label_of(name, pattern)))
    plausible = 1 < len(counts) <= min(CLASSES, max(len(names) // 2, 2)) and min(counts.values()) > 1
    return counts if plausible and 2 * sum(counts.values()) > len(names) else Counter()
