"""Tables of labels: CSV and its kin, and records in JSON, each row an image and its class or classes."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.index import Index, build
from striate.data.layouts.columns import FALSE, TRUE, require_columns, split_of_value
from striate.data.layouts.finder import ImageFinder, normal
from striate.data.layouts.layout import Finder, Layout
from striate.data.layouts.names import natural_key
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.sheet import Sheet
from striate.data.layouts.tables import Table, open_table
from striate.data.paths import SafePaths, to_text, to_texts
from striate.data.readers.class_names import NAME_SUFFIXES, named
from striate.errors import DataError
from striate.files import list_names

SAMPLE = 200  # rows, spread evenly, that tell whether all paths begin and end in one way
LIST = r"^(\[.*\])?$"
ITEM = re.compile(r"""'([^']*)'|"([^"]*)"|([^][,'"]+)""")  # of a list
PARTING = (";", "|", ",", " ")  # what may part several labels of an image


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads a table, or those of several splits; classes are matched between them by name.

    A row whose path leads out of the data's folder stays in the index with that reason and is never opened.

    Raises:
        DataError: if a column is missing, or a split, weight or label is not one.
    """
    finder = layout.finder or ImageFinder(layout.tree)
    parts = []
    for file in layout.files:
        table = open_table(layout.tree, file, finder, options)
        part = read_table(table, layout, options, finder)
        split = table.split if len(layout.files) > 1 else table.folder_split
        if split is not None and table.columns.split is None:
            part = part.with_column("split", pa.repeat(pa.scalar(split), len(part)))
        parts.append(part)
    return joined(parts)


def joined(parts: Sequence[Index]) -> Index:
    """One index of several with the same root."""
    if len(parts) == 1:
        return parts[0]
    classes = sorted({name for part in parts for name in part.classes}, key=natural_key)
    tables = [part.with_classes(classes).table for part in parts]
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return replace(parts[0], table=pa.concat_tables(tables).combine_chunks(), classes=tuple(classes), notes=notes)


def read_table(table: Table, layout: Layout, options: ReadOptions, finder: Finder) -> Index:
    """The index of one table."""
    columns, named_by = table.columns, list[str]()
    require_columns(table.sheet, columns, options.path_column, options.label_column)
    used = [columns.path or "", columns.label or "", columns.split or "", options.weight_column, *columns.one_hot]
    texts = table.sheet.columns([name for name in dict.fromkeys(used) if name])
    if columns.one_hot:
        label, labels, names = _one_hot(table.sheet, texts, columns.one_hot)
    elif columns.label is not None:
        label, labels, names = labels_of(texts[columns.label], options.label_separator)
        names, named_by = named(*_names_from(layout), names)
    else:
        raise DataError(f"{table.sheet.path}: expected a column of labels; got boxes alone. Try --layout boxes.")
    paths = resolve(texts[columns.path or ""], table.folder, finder)
    unused = [name for name in table.sheet.names if name not in used]
    notes = [table.sheet.note] if table.sheet.note else []
    notes += [f"columns that are not read: {list_names(unused, 12)}."] if unused else []
    notes += named_by
    notes += _parting_note(names) if not options.label_separator and not columns.one_hot else []
    return build(
        layout.tree.root,
        names,
        paths,
        label=label,
        labels=labels,
        split=splits_of(table.sheet, texts[columns.split], columns.split) if columns.split else None,
        weight=_weights(table.sheet, texts[options.weight_column]),
        reason=SafePaths(layout.tree.root).reasons(paths),
        notes=notes,
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


def resolve(texts: pa.Array, folder: str, finder: Finder) -> pa.Array:
    """The paths of the images that texts mean, from the root; where no image is found, as they are written.

    Where a sample of them is found by putting the same text before and after each, all are taken so: whether a file is
    there at all is for the check to say.

    Args:
        texts: (N,) paths or names.
        folder: of the table, from the root.
        finder: finds images.
    """
    sample = texts.take(pa.array(np.arange(0, len(texts), max(len(texts) // SAMPLE, 1)))).to_pylist()
    rules = {_rule(text, finder.find(text, folder)) for text in sample}
    prefix = f"{folder}/" if folder else ""
    if len(rules) == 1 and (rule := rules.pop()) is not None and rule.is_text:
        return texts if rule == _Rule("", "") else pc.binary_join_element_wise(rule.before, texts, rule.after, "")
    found = [
        finder.find(text, folder)
        or (text if text[:1] == "/" or not text else prefix + (normal(text) if "\\" in text else text))
        for text in texts.to_pylist()
    ]
    return to_texts(found)


def _rule(text: str, path: str | None) -> _Rule | None:
    if path is None or not text or text not in path:
        return None
    before, _, after = path.partition(text)
    return _Rule(before, after)


def labels_of(texts: pa.Array, separator: str) -> tuple[NDArray[np.int64] | None, pa.Array | None, list[str]]:
    """The class number of each row or, where a separator is given, its class numbers; and the names of the classes."""
    if not separator and _are_lists(texts):
        several = pa.array([[a or b or c.strip() for a, b, c in ITEM.findall(text)] for text in texts.to_pylist()])
        return _several(several.cast(pa.list_(pa.string())), len(texts))
    if not separator:
        given = pc.utf8_trim_whitespace(texts)
        names = _sorted(given)
        return np.asarray(_numbers(given, names).fill_null(-1), np.int64), None, names
    return _several(pc.split_pattern(texts, separator), len(texts))


def _are_lists(texts: pa.Array) -> bool:
    """Whether each text is a list as Python or JSON writes it, such as ['ant', 'bee']."""
    return bool(pc.any(pc.starts_with(texts, "[")).as_py() and pc.all(pc.match_substring_regex(texts, LIST)).as_py())


def _several(several: pa.Array, count: int) -> tuple[None, pa.Array, list[str]]:
    """The class numbers of each of so many rows of texts, and the names of the classes."""
    given = pc.utf8_trim_whitespace(several.flatten())
    names = _sorted(given)
    numbers = _numbers(given, names)
    rows = np.asarray(pc.list_parent_indices(several))[np.asarray(numbers.is_valid())]
    ends = np.cumsum(np.bincount(rows, minlength=count))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    return None, pa.ListArray.from_arrays(offsets, numbers.drop_null().cast(pa.int64())), names


def _sorted(texts: pa.Array) -> list[str]:
    """The class names among texts, of which an empty one is none."""
    return sorted(set(pc.unique(texts).to_pylist()) - {"", None}, key=natural_key)


def _numbers(texts: pa.Array, names: list[str]) -> pa.Array:
    return pc.index_in(texts, value_set=pa.array(names, pa.string()))


def _one_hot(
    sheet: Sheet, texts: dict[str, pa.Array], names: Sequence[str]
) -> tuple[NDArray[np.int64] | None, pa.Array | None, list[str]]:
    """The class of each row where every row has exactly one, else the classes of each row."""
    hot = np.stack([_true(sheet, texts[name], name) for name in names], axis=1)  # (N, classes)
    order = sorted(names, key=natural_key)
    hot = hot[:, [names.index(name) for name in order]]
    if (hot.sum(axis=1) == 1).all():
        return hot.argmax(axis=1).astype(np.int64), None, order
    rows, classes = np.nonzero(hot)
    ends = np.cumsum(np.bincount(rows, minlength=len(hot)))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    return None, pa.ListArray.from_arrays(offsets, pa.array(classes, pa.int64())), order


def _true(sheet: Sheet, texts: pa.Array, name: str) -> NDArray[np.bool_]:
    lower = pc.utf8_lower(texts)
    known = pc.is_in(lower, value_set=pa.array([*TRUE, *FALSE, ""]))
    if not pc.all(known).as_py() and len(texts):
        row = int(np.flatnonzero(~np.asarray(known))[0])
        raise DataError(
            f"{sheet.path}, line {sheet.line(row)}: expected 0 or 1 in column `{name}`; got {texts[row].as_py()!r}."
        )
    return np.asarray(pc.is_in(lower, value_set=pa.array([*TRUE])), np.bool_)


def splits_of(sheet: Sheet, texts: pa.Array, column: str) -> pa.Array:
    """The split of each row; null where none is given.

    Raises:
        DataError: if a text means no split.
    """
    encoded = texts.dictionary_encode()
    known: list[str | None] = []
    for text in encoded.dictionary.to_pylist():
        split = split_of_value(text, column)
        if text and split is None:
            row = texts.index(text).as_py()
            raise DataError(
                f"{sheet.path}, line {sheet.line(row)}: expected a split such as train, val or test in column "
                f"`{column}`; got {text!r}."
            )
        known.append(split)
    return pa.array(known, pa.string()).take(encoded.indices)


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


def _parting_note(names: Sequence[str]) -> list[str]:
    """A word where the names of classes look like several of each other, parted by something."""
    known = set(names)
    for separator in PARTING:
        made = [name for name in names if separator in name and all(p.strip() in known for p in name.split(separator))]
        if len(made) > 1 or (made and separator != " "):
            return [
                f"{len(made):,} labels look like several, such as {made[0]!r:.80}: if they are, give "
                f"--label-separator {separator!r}."
            ]
    return []
