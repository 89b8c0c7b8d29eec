"""The names of classes that data numbers, from a file beside it."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from striate.data.image_formats import IMAGE_SUFFIXES
from striate.data.layouts.names import words
from striate.data.layouts.sheet import open_sheet
from striate.data.layouts.text_file import read_lines
from striate.data.layouts.tree import suffix_of
from striate.errors import DataError

LISTS = (
    "classes.txt",
    "class_names.txt",
    "classnames.txt",
    "labels.txt",
    "categories.txt",
    "names.txt",
    "obj.names",
    "synset.txt",
)
TABLES = ("classes.csv", "class_names.csv", "classnames.csv", "class_list.csv", "label_map.csv", "labels_map.csv")
WORDS = {"categories", "category", "classes", "classnames"}  # in the name of a list of names
NAME_SUFFIXES = (".txt", ".names", ".csv", ".json")
MOST_JSON = 1 << 20  # bytes of a file of names
NUMBER = re.compile(r"[0-9]{1,9}")
Names = dict[int, str]


def named(
    root: Path, files: Iterable[str], labels: Sequence[str], first: int | None = None
) -> tuple[list[str], list[str]]:
    """Labels by their names where all are numbers that one of the files names, and a word on which.

    Where a list of names could count from 0 or from 1, because neither the first nor the last number is among the
    labels, the numbers stay.

    Args:
        root: folder that the files' paths start from.
        files: what may name classes: lists of names, tables and JSON of number and name.
        labels: of images; "" is none.
        first: the number of the first line of a list, where that is known.
    """
    given = {label for label in labels if label}
    if not given or not all(NUMBER.fullmatch(label) for label in given):
        return list(labels), []
    numbers = {int(label) for label in given}
    for file in files:
        ways = (names for names in _names_in(root / file, first) if numbers <= names.keys())
        fitting = [names for names in ways if len(set(names.values())) == len(names) > 1]
        if len({names[min(numbers)] for names in fitting}) > 1:
            return list(labels), [f"{file} is not read: its names may count from 0 or from 1. Number its lines."]
        if fitting:
            return [fitting[0][int(label)] if label else "" for label in labels], [f"names of classes by {file}."]
    return list(labels), []


def _names_in(path: Path, first: int | None) -> Iterator[Names]:
    """The names that a file gives to numbers, in each way that it can be read; none of a file of another kind."""
    lower = path.name.lower()
    readers: Sequence[tuple[Collection[str], Callable[[Path], Iterable[Names]]]] = (
        (LISTS, lambda path: _of_list(path, first)),
        (TABLES, _of_table),
    )
    reader = next((each for names, each in readers if lower in names), _of_json if lower.endswith(".json") else None)
    if reader is None and WORDS & set(words(lower)):
        reader = {".txt": readers[0][1], ".csv": _of_table}.get(path.suffix.lower())
    if reader is None:
        return
    try:
        yield from reader(path)
    except DataError:  # it is none
        return


def _of_list(path: Path, first: int | None) -> Iterator[Names]:
    lines = [line for line in read_lines(path) if line]
    pairs = [line.split(maxsplit=1) for line in lines]
    ends = [line.rpartition(" ") for line in lines]
    if all(len(pair) == 2 and NUMBER.fullmatch(pair[0]) for pair in pairs):
        yield {int(number): name for number, name in pairs}
    elif all(name and NUMBER.fullmatch(number) for name, _, number in ends):
        yield {int(number): name for name, _, number in ends}
    else:
        yield from (dict(enumerate(lines, start)) for start in ((0, 1) if first is None else (first,)))


def _of_table(path: Path) -> Iterator[Names]:
    rows = [values[:2] for _, values in open_sheet(path).rows()]
    yield from _either_way([(values[0], values[-1]) for values in rows])


def _of_json(path: Path) -> Iterator[Names]:
    if path.stat().st_size > MOST_JSON:
        return
    sheet = open_sheet(path)
    if sheet.names == ("filename", "label"):
        yield from _either_way([(values[0], values[1]) for _, values in sheet.rows()])


def _either_way(pairs: Sequence[tuple[str, str]]) -> Iterator[Names]:
    """Of pairs of number and name, or of name and number."""
    for ordered in (pairs, [(second, first) for first, second in pairs]):
        names = {int(number): name for number, name in ordered if NUMBER.fullmatch(number)}
        if len(names) == len(ordered) and not all(suffix_of(name) in IMAGE_SUFFIXES for name in names.values()):
            yield names
