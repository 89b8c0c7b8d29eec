"""Which tables of a tree say something of its images, and which of them belong together."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from striate.data.layouts.annotation_files import json_kind
from striate.data.layouts.columns import Columns, columns_of, with_header
from striate.data.layouts.finder import ImageFinder, stem
from striate.data.layouts.layout import Finder, Layout
from striate.data.layouts.names import parts_of, says_no_image, split_of_path
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.sheet import SUFFIXES, TEXT_SUFFIXES, Sheet, open_sheet, open_text_sheet
from striate.data.layouts.synonyms import plain
from striate.data.layouts.tree import Tree
from striate.data.run_lengths import run_columns
from striate.errors import DataError
from striate.files import fit_to_print, list_names

REASON = 240  # characters of why a table is not read
FRACTION = re.compile(r"-?[0-9]*[.][0-9]*[1-9][0-9]*(e-?[0-9]+)?", re.IGNORECASE)
VIA = "region_shape_attributes"
MOST = 2000  # tables of a tree that are looked into
CLASS_TABLES = ("_classes", "classes", "class_names")
METADATA = ("metadata.csv", "metadata.jsonl")  # of Hugging Face's folder of images
NOT_LABELS = ("samplesubmission", "submission", "classdict", "classesdict", "labelsclassdict", "locsamplesubmission")


@dataclass(frozen=True)
class Table:
    """A table of images of the tree."""

    file: str
    """Its path from the root."""

    sheet: Sheet
    columns: Columns

    @property
    def folder(self) -> str:
        """Where it lies, from the root."""
        return folder_of(self.file)

    @property
    def path_place(self) -> int:
        """Which column holds the paths; -1 where none does."""
        return -1 if self.columns.path is None else self.sheet.names.index(self.columns.path)

    @property
    def folder_split(self) -> str | None:
        """The split that its folder says."""
        return split_of_path(self.folder) if self.folder else None

    @property
    def split(self) -> str | None:
        """The split that its name says, else its folder's."""
        name = self.file.rpartition("/")[2].rpartition(".")[0]
        return parts_of(name).split or self.folder_split


def find(tree: Tree, finder: ImageFinder, options: ReadOptions) -> list[Layout]:
    """A reading for each table of labels or boxes, or for those that are the splits of one data set."""
    found = list(_tables(tree, finder, options))
    labelled = [table for table in found if table.columns.has_labels]
    layouts = [_layout(tree, group) for group in _groups(labelled)]
    if not labelled and found:
        layouts = [_without_labels(tree, found[0])]
    return layouts


def with_several_meanings(tree: Tree, finder: ImageFinder, options: ReadOptions) -> Iterator[tuple[str, set[str]]]:
    """The tables whose names mean images in several folders each, which are not read, and some of their labels."""
    for file in islice(tree.others(*SUFFIXES), MOST):
        if plain(file.rpartition("/")[2]).startswith(NOT_LABELS):
            continue
        try:
            table = open_table(tree, file, finder, options)
            texts = [values[table.path_place] for values in table.sheet.head if table.path_place >= 0]
            label = table.columns.label
            labels = {values[table.sheet.names.index(label)] for values in table.sheet.head} if label else set()
        except DataError:  # it is no table
            continue
        if labels and not _names_images(table, finder) and 2 * sum(map(finder.is_of_several, texts)) >= len(texts):
            yield file, labels


def why_unread(tree: Tree) -> str:
    """A sentence on the first table of a tree that cannot be read; "" where there is none."""
    for file in islice(tree.others(*SUFFIXES), MOST):
        try:
            open_sheet(tree.read_name(file)).head  # noqa: B018 - which reads it
        except DataError as error:
            return fit_to_print(str(error), REASON)
    return ""


def open_table(tree: Tree, file: str, finder: Finder, options: ReadOptions) -> Table:
    """A table of a tree, and what its columns mean.

    Raises:
        DataError: if the file is no table.
    """
    return table_of(file, open_sheet(tree.read_name(file)), finder, options)


def table_of(file: str, sheet: Sheet, finder: Finder, options: ReadOptions) -> Table:
    """A table and what its columns mean, where `finder` finds the images."""
    folder, name = folder_of(file), file.rpartition("/")[2].rpartition(".")[0]
    split = parts_of(name).split

    def find_image(text: str) -> str | None:
        return finder.find(text, folder, split) or finder.find(f"{name}/{text}", folder)  # of a table a class

    sheet = with_header(sheet, find_image)
    columns = columns_of(sheet, options.path_column, options.label_column, options.weight_column, find_image)
    return Table(file, sheet, columns)


def folder_of(file: str) -> str:
    """The folder of a file from the root, "" also of one that lies elsewhere."""
    return "" if file.startswith("/") else file.rpartition("/")[0]


def _tables(tree: Tree, finder: ImageFinder, options: ReadOptions) -> Iterator[Table]:
    for number, file in enumerate([*tree.others(*SUFFIXES, ".json"), *text_tables(tree, finder)]):
        name = file.rpartition("/")[2].lower()
        if number >= MOST or plain(name).startswith(NOT_LABELS):
            continue
        if name.endswith(".json") and json_kind(tree.read_name(file)) != "table":
            continue
        try:
            table = open_table(tree, file, finder, options)
        except DataError:  # it is no table, and where nothing else is either, the error is that of the folder
            if name in METADATA:
                raise
            continue
        is_of_runs = options.layout != "table" and run_columns(table.sheet) is not None
        if _is_of_classes(table) or is_of_runs:
            continue
        if name in METADATA or _names_images(table, finder):
            yield table


def text_tables(tree: Tree, finder: ImageFinder) -> list[str]:
    """The text files of a tree that are tables with a header; none that is named as an image is."""
    found: list[str] = []
    for file in islice(tree.others(*TEXT_SUFFIXES), MOST):
        folder, _, name = file.rpartition("/")
        if (
            not says_no_image(name)
            and finder.find(stem(name), folder) is None
            and open_text_sheet(tree.read_name(file))
        ):
            found.append(file)
    return found


def _is_of_classes(table: Table) -> bool:
    """Whether a table names classes and no images: in JSON {"0": "ant", "1": "bee"}, or without a header `ant,0`."""
    sheet = table.sheet
    if not sheet.has_header and not table.columns.has_boxes:
        return table.file.rpartition("/")[2].lower().startswith(CLASS_TABLES)
    records = sheet.records or ()
    labels = [str(record.get("label")) for record in records if str(record.get("filename")).isdecimal()]
    return bool(labels) and len(set(labels)) == len(labels) == len(records)


def _names_images(table: Table, finder: ImageFinder) -> bool:
    """Whether at least half of the first rows name an image of the tree."""
    return table.path_place >= 0 and table.columns.found * 2 >= len(table.sheet.head) > 0


def _groups(tables: list[Table]) -> list[list[Table]]:
    """Tables that belong together: one a split, with the same columns; or one a class, without a header."""
    groups: dict[object, list[Table]] = {}
    for table in tables:
        if not table.sheet.has_header and table.columns.has_boxes and table.split is None:
            key: object = ("a class each", table.folder)
        elif table.split is not None:
            key = ("splits", table.columns.has_boxes, _base(table))
        else:
            key = table.file
        groups.setdefault(key, []).append(table)
    found: list[list[Table]] = []
    for group in groups.values():
        splits = [table.split for table in group]
        together = (None in splits and not group[0].sheet.has_header) or len(set(splits)) == len(splits)
        found += [group] if together else [[table] for table in group]
    return found


def _base(table: Table) -> str:
    """What the name of a table has besides its split, so that train_a.csv and test_b.csv are two data sets."""
    return " ".join(parts_of(table.file.rpartition("/")[2].rpartition(".")[0]).rest)


def _layout(tree: Tree, group: list[Table]) -> Layout:
    first = group[0]
    kind = "boxes" if first.columns.has_boxes else "table"
    what = told(first)
    files = tuple(table.file for table in group)
    if len(group) > 1 and (first.sheet.has_header or first.split is not None):
        splits = ", ".join(f"{table.split} ({table.file})" for table in group)
        what = f"{_kind(first)} in tables of the splits {splits}, {_columns(first)}"
    elif len(group) > 1:
        what = f"boxes in tables without a header, one a class: {list_names(files, 4)}"
    return Layout(kind, what, tree, files, doubt=measured(first))


def measured(table: Table) -> str:
    """What is said where a column of labels measures something, which is no class."""
    columns = table.columns
    if columns.label is None or columns.has_boxes:
        return ""
    texts = [values[table.sheet.names.index(columns.label)] for values in table.sheet.head]
    measured = [text for text in texts if FRACTION.fullmatch(text)]
    if 2 * len(set(texts)) < len(texts) or not measured:
        return ""
    return f"`{columns.label}` holds measurements such as {measured[0]}, and each would be a class"


def told(table: Table) -> str:
    """What a table is taken for."""
    header = "" if table.sheet.has_header else " (no header)"
    return f"{_kind(table)} in {table.file.rpartition('/')[2]}{header}, {_columns(table)}"


def _kind(table: Table) -> str:
    return "boxes" if table.columns.has_boxes else "labels"


def _columns(table: Table) -> str:
    columns = table.columns
    label = f"labels `{columns.label}`" if columns.label else "no labels"
    if columns.one_hot:
        label = f"a class in each of {len(columns.one_hot)} columns of 0 and 1"
    if columns.objects:
        label = f"objects `{columns.objects}`"
    split = f", splits `{columns.split}`" if columns.split else ""
    return f"paths `{columns.path}`, {label}{split}"


def _without_labels(tree: Tree, table: Table) -> Layout:
    """What a table may be read as once somebody says which column holds the labels."""
    names = list_names(table.sheet.names, 12)
    if VIA in table.sheet.names:
        doubt = f"{table.file} is a CSV of VIA, which is not read; export its JSON"
        return Layout("table", f"labels in {table.file}", tree, (table.file,), doubt=doubt)
    doubt = f"no column of {table.file} is known to hold labels ({names}); say which with --label-column"
    return Layout("table", f"labels in {table.file}", tree, (table.file,), doubt=doubt)
