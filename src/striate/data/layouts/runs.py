"""The readings of a tree as masks in tables, by the lengths of runs of pixels."""

from itertools import islice

from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import Finder, Layout
from striate.data.layouts.sheet import Sheet, open_sheet
from striate.data.layouts.synonyms import plain
from striate.data.layouts.tables import MOST, NOT_LABELS, folder_of
from striate.data.layouts.tree import Tree
from striate.data.run_lengths import RunColumns, run_columns
from striate.errors import DataError

SUFFIXES = (".csv", ".tsv")


def find(tree: Tree, finder: ImageFinder) -> list[Layout]:
    """A reading for each table of runs that names images of the tree."""
    layouts = []
    for file in islice(tree.others(*SUFFIXES), MOST):
        if plain(file.rpartition("/")[2]).startswith(NOT_LABELS):
            continue
        try:
            sheet = open_sheet(tree.read_name(file))
            columns = run_columns(sheet)
            if columns is not None and share_found(sheet, columns, finder, folder_of(file)) >= 0.5:
                layouts.append(layout_of(tree, file, columns))
        except DataError:  # it is no table
            continue
    return layouts


def share_found(sheet: Sheet, columns: RunColumns, finder: Finder, folder: str) -> float:
    """The share of the first rows that name an image."""
    place = sheet.names.index(columns.path)
    texts = [values[place] for values in sheet.head]
    texts = [text.rpartition("_")[0] for text in texts] if columns.is_joined else texts
    return sum(finder.find(text, folder) is not None for text in texts) / max(len(texts), 1)


def layout_of(tree: Tree, file: str, columns: RunColumns) -> Layout:
    """The reading of one table of runs."""
    classes = "of one class"
    if columns.is_joined or columns.label is not None:
        classes = f"classes `{columns.path.rpartition('_')[2] if columns.is_joined else columns.label}`"
    what = f"masks by the lengths of runs in {file}, paths `{columns.path}`, {classes}, runs `{columns.runs}`"
    return Layout("runs", what, tree, (file,))
