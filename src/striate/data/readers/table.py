"""Tables of labels: CSV and its kin, and records in JSON, each row an image and its class or classes."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from striate.data.index import Index, build
from striate.data.layouts.columns import FOLDS, require_columns, splits_of_values
from striate.data.layouts.finder import ImageFinder, normal
from striate.data.layouts.layout import Finder, Layout
from striate.data.layouts.list_splits import split_lists
from striate.data.layouts.names import natural_key, telling_splits
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.sheet import Sheet
from striate.data.layouts.synonyms import plain
from striate.data.layouts.tables import Table, open_table
from striate.data.layouts.tree import Tree
from striate.data.paths import SafePaths, to_text, to_texts
from striate.data.readers.class_names import NAME_SUFFIXES, named
from striate.data.readers.labels import CHOICES, are_lists, labels_of
from striate.data.readers.one_hot import one_hot_labels
from striate.data.readers.several import WHOLE, separator_of, with_rows_joined
from striate.errors import DataError
from striate.files import list_names

SAMPLE = 200  # rows, spread evenly, that tell whether all paths begin and end in one way
SHAPES = r"^\s*\[?\s*\{"  # an object of JSON, or a list of them
MEASURED = 20  # rows from which on numbers that are mostly different are no classes
MISSING = ("nan", "NaN", "NULL", "null", "N/A", "#N/A", "<NA>")  # as pandas and spreadsheets write an empty cell
Texts = dict[str, pa.Array]  # by the names of columns


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads a table, or those of several splits; classes are matched between them by name.

    A row whose path leads out of the data's folder stays in the index with that reason and is never opened.

    Raises:
        DataError: if a column is missing, or a split, weight or label is not one.
    """
    finder = layout.finder or ImageFinder(layout.tree)
    tables = [open_table(layout.tree, file, finder, options) for file in layout.files]
    texts = [_texts(table, options) for table in tables]
    separator, notes = _separator(tables, texts, options)
    parts = []
    for table, of_table in zip(tables, texts, strict=True):
        part = read_table(table, of_table, layout, replace(options, label_separator=separator), finder)
        split = table.split if len(layout.files) > 1 else table.folder_split
        if split is not None and table.columns.split is None:
            part = part.with_column("split", pa.repeat(pa.scalar(split), len(part)))
        parts.append(part)
    index = with_rows_joined(joined(parts))
    index = replace(index, notes=(*index.notes, *notes))
    is_split = len(tables) > 1 or any(table.columns.split or table.folder_split for table in tables)
    return index if layout.is_given or is_split else _split_by_lists(index, layout.tree)


def _split_by_lists(index: Index, tree: Tree) -> Index:
    """The index with the splits of lists beside its table, where they name some."""
    by_lists, notes = split_lists(tree, ImageFinder(tree))
    if not telling_splits(by_lists.values()):
        return index
    split = index.with_column("split", [by_lists.get(path) for path in index.paths()])
    return replace(split, notes=(*index.notes, *notes))


def _texts(table: Table, options: ReadOptions) -> Texts:
    """The columns of a table that are read."""
    columns = table.columns
    require_columns(table.sheet, columns, options.path_column, options.label_column)
    used = [columns.path, columns.label, columns.split, options.weight_column, *columns.one_hot]
    return table.sheet.columns([name for name in dict.fromkeys(used) if name])


def _separator(tables: Sequence[Table], texts: Sequence[Texts], options: ReadOptions) -> tuple[str, list[str]]:
    """What parts several labels of an image in all of some tables, "" where each has one; and a word on it."""
    if options.label_separator:
        return "" if options.label_separator == WHOLE else options.label_separator, []
    found: dict[str, None] = {}
    place = ""
    for table, of_table in zip(tables, texts, strict=True):
        if table.columns.label is not None and not are_lists(of_table[table.columns.label]):
            place = f"{table.sheet.path}, column `{table.columns.label}`"
            found |= dict.fromkeys(pc.unique(of_table[table.columns.label]).to_pylist())
    separator = separator_of([text for text in found if text], place)
    told = f"labels are several, parted by {separator!r}; --label-separator {WHOLE} takes each text as one."
    return separator, [told] if separator else []


def joined(parts: Sequence[Index]) -> Index:
    """One index of several with the same root."""
    if len(parts) == 1:
        return parts[0]
    classes = sorted({name for part in parts for name in part.classes}, key=natural_key)
    tables = [part.with_classes(classes).table for part in parts]
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return replace(parts[0], table=pa.concat_tables(tables).combine_chunks(), classes=tuple(classes), notes=notes)


def read_table(table: Table, texts: Texts, layout: Layout, options: ReadOptions, finder: Finder) -> Index:
    """The index of one table, from those of its columns that are read."""
    columns, named_by = table.columns, list[str]()
    if columns.one_hot:
        labels, named_by = one_hot_labels(table.sheet, texts, columns.one_hot)
        names = labels.names
    elif columns.label is not None:
        if options.layout == "auto":
            _require_classes(table, texts[columns.label])
        _require_no_shapes(table, texts[columns.label])
        given, unnamed = _without_missing(texts[columns.label])
        labels = labels_of(given, options.label_separator)
        names, named_by = named(*_names_from(layout), labels.names)
        named_by += unnamed
    else:
        raise DataError(f"{table.sheet.path}: expected a column of labels; got boxes alone. Try --layout boxes.")
    paths = resolve(texts[columns.path or ""], table.folder, finder, table.split)
    unused = [name for name in table.sheet.names if name not in texts]
    notes = [table.sheet.note] if table.sheet.note else []
    notes += [f"columns that are not read: {list_names(unused, 12)}."] if unused else []
    notes += [*named_by, *_fold_note(texts, columns.split)]
    return build(
        layout.tree.root,
        names,
        paths,
        label=labels.one,
        labels=labels.several,
        split=splits_of(table.sheet, texts[columns.split], columns.split) if columns.split else None,
        weight=_weights(table.sheet, texts[options.weight_column]),
        reason=SafePaths(layout.tree.root).reasons(paths),
        notes=notes,
    )


def _without_missing(texts: pa.Array) -> tuple[pa.Array, list[str]]:
    """Labels of which those that say that there is none are empty, and a word on how many those are."""
    is_missing = pc.is_in(texts, value_set=pa.array(MISSING))
    count = pc.sum(is_missing).as_py() or 0
    if not count:
        return texts, []
    shown = list_names(sorted(pc.unique(texts.filter(is_missing)).to_pylist()), 4)
    return pc.if_else(is_missing, "", texts), [f"labels that say there is none ({shown}): {count:,}."]


def _fold_note(texts: Texts, column: str | None) -> list[str]:
    """A word on how folds become splits."""
    if column is None or plain(column) not in FOLDS:
        return []
    val = [
        text for text, split in splits_of_values(pc.unique(texts[column]).to_pylist(), column).items() if split == "val"
    ]
    return [f"of the folds in `{column}`, {list_names(val, 2)} is val, and the others are train."] if val else []


def _require_classes(table: Table, texts: pa.Array) -> None:
    """Refuses a column of numbers of which most are different, which measures something.

    Raises:
        DataError: if it is one.
    """
    if len(texts) < MEASURED or not pc.all(pc.match_substring_regex(texts, r"^[0-9.+-]*$")).as_py():
        return
    count = pc.count_distinct(texts).as_py()
    if 2 * count > len(texts):
        raise DataError(
            f"{table.sheet.path}: expected labels in `{table.columns.label}`; got {count:,} different numbers for "
            f"{len(texts):,} images, and each would be a class: --layout table reads it so."
        )


def _require_no_shapes(table: Table, texts: pa.Array) -> None:
    """Refuses a column that holds objects in JSON, as Label Studio's CSV does, whose parts are no labels.

    Raises:
        DataError: if it is one.
    """
    shapes = texts.filter(pc.match_substring_regex(texts, SHAPES))
    if len(shapes) and not pc.any(pc.match_substring_regex(texts, CHOICES)).as_py():
        raise DataError(
            f"{table.sheet.path}: expected labels in `{table.columns.label}`; got objects in JSON, such as "
            f"{shapes[0].as_py():.60}: export them as JSON, COCO or Pascal VOC."
        )


def _names_from(layout: Layout) -> tuple[Path, Iterator[str]]:
    """A folder, and the files below it that may name classes: of a table that was given, those beside it."""
    if not layout.is_given:
        return layout.tree.root, layout.tree.others(*NAME_SUFFIXES)
    folder = (layout.tree.root / layout.files[0]).parent
    return folder, _listed(folder)


def _listed(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        yield from sorted(entry.name for entry in entries if entry.name.lower().endswith(NAME_SUFFIXES))


@dataclass(frozen=True)
class _Rule:
    """How the paths of a table become those of an index."""

    before: str
    after: str

    @property
    def is_text(self) -> bool:
        """Whether an index holds it as it stands."""
        return to_text(self.before) == self.before


def resolve(texts: pa.Array, folder: str, finder: Finder, split: str | None = None) -> pa.Array:
    """The paths of the images that texts mean, from the root; where no image is found, as they are written.

    Where a sample of them is found by putting the same text before and after each, all are taken so: whether a file is
    there at all is for the check to say.

    Args:
        texts: (N,) paths or names.
        folder: of the table, from the root.
        finder: finds images.
        split: what the table's name says, which tells images of the same name apart.
    """
    sample = texts.take(pa.array(np.arange(0, len(texts), max(len(texts) // SAMPLE, 1)))).to_pylist()
    rules = {_rule(text, finder.find(text, folder, split)) for text in sample}
    prefix = f"{folder}/" if folder else ""
    if len(rules) == 1 and (rule := rules.pop()) is not None and rule.is_text:
        return texts if rule == _Rule("", "") else pc.binary_join_element_wise(rule.before, texts, rule.after, "")
    found = [
        finder.find(text, folder, split)
        or (text if text[:1] == "/" or not text else prefix + (normal(text) if "\\" in text else text))
        for text in texts.to_pylist()
    ]
    return to_texts(found)


def _rule(text: str, path: str | None) -> _Rule | None:
    if path is None or not text or text not in path:
        return None
    before, _, after = path.partition(text)
    return _Rule(before, after)


def splits_of(sheet: Sheet, texts: pa.Array, column: str) -> pa.Array:
    """The split of each row; null where none is given.

    Raises:
        DataError: if a text means no split.
    """
    encoded = texts.dictionary_encode()
    known = splits_of_values(encoded.dictionary.to_pylist(), column)
    for text, split in known.items():
        if text and split is None:
            row = texts.index(text).as_py()
            raise DataError(
                f"{sheet.path}, line {sheet.line(row)}: expected a split such as train, val or test in column "
                f"`{column}`; got {text!r}."
            )
    return pa.array(known.values(), pa.string()).take(encoded.indices)


def _weights(sheet: Sheet, texts: pa.Array) -> pa.Array:
    given = pc.if_else(pc.equal(texts, ""), None, pc.utf8_trim_whitespace(texts))
    try:
        return given.cast(pa.float32())
    except pa.ArrowInvalid as error:
        row = next(row for row, text in enumerate(given) if not _is_number(text))
        raise DataError(
            f"{sheet.path}, line {sheet.line(row)}: expected a number as weight; got {texts[row].as_py()!r}."
        ) from error


def _is_number(text: pa.Scalar) -> bool:
    try:
        text.cast(pa.float32())
    except pa.ArrowInvalid:
        return False
    return True
