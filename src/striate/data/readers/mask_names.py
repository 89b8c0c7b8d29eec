"""Files that name the values of masks: CVAT's labelmap.txt, class_dict.csv, label_colors.txt, codes.txt."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from striate.data.layouts.sheet import open_sheet
from striate.data.layouts.synonyms import plain
from striate.data.layouts.text_file import read_lines
from striate.data.layouts.tree import Tree
from striate.errors import DataError
from striate.files import whole_number

COLOURED = (
    "labelmap.txt",
    "label_colors.txt",
    "label_colours.txt",
    "label-colors.txt",
    "colormap.txt",
    "label_map.txt",
)
TABLES = (
    "class_dict.csv",
    "labels_class_dict.csv",
    "classes.csv",
    "_classes.csv",
    "class_dict_seg.csv",
    "label_map.csv",
)
NUMBERED = ("codes.txt", "classes.txt", "class_names.txt", "labels.txt", "label_names.txt")
THREE = re.compile(r"^(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(.+)$")
LAST = re.compile(r"^(.+?)[\s,:]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})$")


@dataclass(frozen=True)
class MaskNames:
    """What a file says of the values of masks."""

    file: str
    colours: dict[int, str] = field(default_factory=dict)
    """The class of each colour, 0xRRGGBB."""

    names: Sequence[str] = ()
    """The class of each number, from 0."""


def mask_names(tree: Tree) -> MaskNames | None:
    """What the first file of a tree that names the values of masks says; None where there is none.

    Raises:
        DataError: if such a file cannot be read.
    """
    by_name = {path.rpartition("/")[2].lower(): path for path in reversed(list(tree.others(".txt", ".csv")))}
    for name in COLOURED:
        if name in by_name and (colours := _colours(read_lines(tree.read_name(by_name[name])))):
            return MaskNames(by_name[name], colours)
    for name in TABLES:
        if name in by_name and (found := _of_table(tree, by_name[name])) is not None:
            return found
    for name in NUMBERED:
        if name in by_name:
            names = [line for line in read_lines(tree.read_name(by_name[name])) if line]
            if 1 < len(set(names)) == len(names) < 255:
                return MaskNames(by_name[name], names=names)
    return None


def _colours(lines: Sequence[str]) -> dict[int, str]:
    """Of lines `name:r,g,b:parts:actions`, `r g b name` or `name r g b`."""
    found: dict[int, str] = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        values = re.fullmatch(r"\s*(\d{1,3}),\s*(\d{1,3}),\s*(\d{1,3})\s*", rest.partition(":")[0])
        if values:
            found[_colour(values.groups())] = name.strip()
        elif match := THREE.match(line):
            found[_colour(match.groups()[:3])] = match[4].strip()
        elif match := LAST.match(line):
            found[_colour(match.groups()[1:])] = match[1].strip()
        else:
            return {}
    return found


def _colour(numbers: Sequence[str]) -> int:
    red, green, blue = (min(255 if (value := whole_number(number)) is None else value, 255) for number in numbers)
    return red << 16 | green << 8 | blue


def _of_table(tree: Tree, path: str) -> MaskNames | None:
    """Of a table `name,r,g,b`, or `Pixel Value, Class`."""
    try:
        sheet = open_sheet(tree.read_name(path))
        names = {plain(name): place for place, name in enumerate(sheet.names)}
        name = next(
            (names[each] for each in ("name", "class", "classname", "label", "category") if each in names), None
        )
        if name is None:
            return None
        rows = [values for _, values in sheet.rows()]
    except DataError:
        return None
    for three in (("r", "g", "b"), ("red", "green", "blue")):
        if all(each in names for each in three):
            places = [names[each] for each in three]
            if all(row[place].isdecimal() for row in rows for place in places):
                return MaskNames(path, {_colour([row[place] for place in places]): row[name] for row in rows})
    value = names.get("pixelvalue", names.get("value", names.get("id")))
    if value is not None and [row[value] for row in rows] == [str(number) for number in range(len(rows))]:
        return MaskNames(path, names=[row[name] for row in rows])
    return None
