"""Files that name the values of masks: CVAT's labelmap.txt, class_dict.csv, palette.txt, colormap.json, codes.txt."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from striate.data.layouts.json_file import read_content
from striate.data.layouts.sheet import open_sheet
from striate.data.layouts.synonyms import plain
from striate.data.layouts.text_file import numbered, read_lines
from striate.data.layouts.tree import Tree
from striate.errors import DataError
from striate.files import whole_number

COLOURED = (  # names without what is no letter, and without their suffixes
    *(
        "labelmap",
        "labelcolors",
        "labelcolours",
        "colormap",
        "colourmap",
        "palette",
        "colors",
        "colours",
        "colorpalette",
    ),
    *("classdict", "labelsclassdict", "labelclassdict", "classdictseg", "classcolors", "classcolours", "classes"),
    *("labels", "config", "objectinfo", "objectinfo150", "meta"),
)
NUMBERED = ("codes.txt", "classes.txt", "class_names.txt", "labels.txt", "label_names.txt")
SUFFIXES = (".txt", ".csv", ".tsv", ".json")
MOST = 1 << 20  # bytes of a file of names
NAMES = ("name", "class", "classname", "label", "category", "readable", "title")  # of columns and keys that hold a name
COLOURS = ("color", "colour", "rgb", "hex", "hexcolor", "colorhex", "hexcode")
NUMBERS = ("pixelvalue", "value", "id", "idx", "index", "number", "code")
WRAPPERS = ("labels", "classes", "categories", "items", "colors", "palette")  # keys of a JSON file's only list
THREE = re.compile(r"^(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(.+)$")
LAST = re.compile(r"^(.+?)[\s,:]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})$")
HEX = re.compile(r"#?([0-9a-fA-F]{6})")
TRIPLE = re.compile(r"[\[(]?\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*[\])]?")


@dataclass(frozen=True)
class MaskNames:
    """What a file says of the values of masks."""

    file: str
    colours: Mapping[int, str] = field(default_factory=dict)
    """The class of each colour, 0xRRGGBB."""

    numbers: Mapping[int, str] = field(default_factory=dict)
    """The class of each number."""

    ignores_zero: bool = False
    """Whether 0 is what counts for nothing, as of ADE20K, which numbers its classes from 1."""


def mask_names(tree: Tree) -> MaskNames | None:
    """What the first file of a tree that names the values of masks says; None where there is none.

    Raises:
        DataError: if such a file cannot be read.
    """
    files = list(tree.others(*SUFFIXES))
    by_name = {_plain_name(path): path for path in reversed(files)}
    for name in COLOURED:
        if name in by_name and (found := _names_in(tree, by_name[name])) is not None:
            return found
    by_name = {path.rpartition("/")[2].lower(): path for path in reversed(files)}
    for name in NUMBERED:
        if name in by_name:
            numbers = numbered([line for line in read_lines(tree.read_name(by_name[name])) if line])
            if 1 < len(set(numbers.values())) == len(numbers) < 255:
                return MaskNames(by_name[name], numbers=numbers)
    return None


def _plain_name(path: str) -> str:
    return plain(path.rpartition("/")[2].rpartition(".")[0])


def _names_in(tree: Tree, file: str) -> MaskNames | None:
    """What a file says of colours, or of colours and numbers; None of another file."""
    path, zero = tree.read_name(file), _plain_name(file).startswith("objectinfo")
    if file.lower().endswith(".json"):
        pairs = _of_json(path)
    else:
        colours = _colours(read_lines(path)) if file.lower().endswith(".txt") else {}
        pairs = (colours, {}) if colours else _of_table(path)
    colours, numbers = pairs
    are_names = 1 < len(set(numbers.values())) == len(numbers)
    if len(colours) > 1 or (are_names and not file.lower().endswith(NUMBERED)):
        return MaskNames(file, colours, numbers if are_names else {}, zero)
    return None


def _colours(lines: Sequence[str]) -> dict[int, str]:
    """Of lines `name:r,g,b:parts:actions`, `r g b name`, `name r g b` or `name #rrggbb`."""
    found: dict[int, str] = {}
    for line in lines:
        if not line or line.startswith("# "):
            continue
        name, _, rest = line.partition(":")
        values = re.fullmatch(r"\s*(\d{1,3}),\s*(\d{1,3}),\s*(\d{1,3})\s*", rest.partition(":")[0])
        first, _, last = line.rpartition(" ")
        if values:
            found[_colour(values.groups())] = name.strip()
        elif match := THREE.match(line):
            found[_colour(match.groups()[:3])] = match[4].strip()
        elif match := LAST.match(line):
            found[_colour(match.groups()[1:])] = match[1].strip()
        elif first and last.startswith("#") and HEX.fullmatch(last):
            found[int(last[1:], 16)] = first.strip(" ,:;\t")
        else:
            return {}
    return found


def _colour(numbers: Sequence[str]) -> int:
    red, green, blue = (min(255 if (value := whole_number(number)) is None else value, 255) for number in numbers)
    return red << 16 | green << 8 | blue


def _colour_of(value: object) -> int | None:
    """The colour that a text or a list means; None where it is none."""
    if isinstance(value, list | tuple):
        texts = [str(each) for each in value[:3]]
        return _colour(texts) if len(texts) == 3 and all(map(str.isdecimal, texts)) else None
    if isinstance(value, str) and (match := TRIPLE.fullmatch(value.strip())):
        return _colour(match.groups())
    match = HEX.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1], 16) if match else None


Pairs = tuple[dict[int, str], dict[int, str]]  # names by colour, and by number


def _of_table(path: Path) -> Pairs:
    """Of a table `name,r,g,b`, `name,color` or `Pixel Value, Class`."""
    try:
        sheet = open_sheet(path)
        records: list[dict[str, object]] = []
        for _, values in sheet.rows():
            record: dict[str, object] = dict(zip(map(plain, sheet.names), values, strict=True))
            for three in (("r", "g", "b"), ("red", "green", "blue")):
                if all(each in record for each in three):
                    record["rgb"] = [record[each] for each in three]
            records.append(record)
    except DataError:
        return {}, {}
    return _of_records(records)


def _of_json(path: Path) -> Pairs:
    """Of JSON of colours or numbers by name, of names by number, or of records of a name and a colour."""
    try:
        content: Any = msgspec.json.decode(read_content(path, MOST))
    except (DataError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}, {}
    if isinstance(content, dict):
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), list | dict)), content)
    if isinstance(content, list) and content and all(isinstance(each, dict) for each in content):
        records = [{plain(key): value for key, value in each.items()} for each in content]
        colours, numbers = _of_records(records)
        in_order = {place: name for place, each in enumerate(records) if (name := _name_of(each))}
        return colours, numbers or (in_order if len(in_order) == len(records) else {})
    if not isinstance(content, dict):
        return {}, {}
    colours = {colour: name for name, value in content.items() if (colour := _colour_of(value)) is not None}
    if len(colours) == len(content):
        return colours, {}
    by_number = {int(key): str(value) for key, value in content.items() if key.isdecimal() and isinstance(value, str)}
    by_name = {value: str(key) for key, value in content.items() if isinstance(value, int)}
    return {}, next((each for each in (by_number, by_name) if len(each) == len(content)), {})


def _of_records(records: Iterable[Mapping[str, object]]) -> Pairs:
    """The names by the colours and by the numbers of records, where each has one."""
    colours: dict[int, str] = {}
    numbers: dict[int, str] = {}
    count = 0
    for record in records:
        count += 1
        name = _name_of(record)
        colour = next((value for key in COLOURS if (value := _colour_of(record.get(key))) is not None), None)
        number = next((whole_number(str(record[key])) for key in NUMBERS if key in record), None)
        if name and colour is not None:
            colours[colour] = name
        if name and number is not None:
            numbers[number] = name
    return (colours if len(colours) == count else {}), (numbers if len(numbers) == count else {})


def _name_of(record: Mapping[str, object]) -> str:
    return next((text for key in NAMES if isinstance(text := record.get(key), str) and text), "")
