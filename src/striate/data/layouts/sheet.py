"""Tables of text: their encoding, separator, header and rows, found out by looking, and records in JSON as the same."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import msgspec
import pyarrow as pa

from striate.data.image_formats import IMAGE_SUFFIXES
from striate.data.layouts.json_file import read_json_lines
from striate.data.layouts.json_records import json_records
from striate.data.layouts.synonyms import LABELS, PATHS, plain
from striate.data.layouts.tree import suffix_of
from striate.errors import DataError
from striate.files import open_regular

IMAGE = "image"  # the column of images, where a header leaves it out
TEXT_SUFFIXES = (".txt", ".lst")
SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")
SEPARATORS = ",;\t|"
PARTED = re.compile(f"[{SEPARATORS}]")
HEAD = 60  # rows that tell how a table is to be read
BLOCK = 1 << 10  # rows that are Python's values at a time; its garbage collector slows down with more
CHUNK = 1 << 20
MOST = 4 << 30  # bytes of a table
COLUMNS = 4096  # of a table
VALUES = (str, int, float, bool)  # what a value of a JSON record becomes a text of
KNOWN = frozenset({*PATHS, *(name for rank in LABELS for name in rank)})
MARKS = (  # a longer one goes before those that it begins with
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Sheet:
    """A table with named columns."""

    path: Path
    names: tuple[str, ...]
    """Of the columns; of a table without a header, `column 1` and so on."""

    has_header: bool = True
    encoding: str = "utf-8"
    separator: str = ","
    """What parts the values; a space stands for any white space."""

    records: tuple[dict[str, object], ...] | None = None
    """The rows of JSON, where it is no CSV."""

    skipped: int = 0
    """Lines before the header, such as a count of the rows."""

    @property
    def note(self) -> str:
        """What is worth a word about how it is read; "" where it is plain."""
        if self.encoding == "cp1252":
            return f"{self.path.name}: read as Latin-1 (Windows-1252), because it is not in UTF-8."
        return ""

    @cached_property
    def head(self) -> list[list[str]]:
        """The values of the first rows."""
        return [values for _, values in islice(self.rows(), HEAD)]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number of each line that is not empty, and its values, one a column; one that is missing is "".

        Raises:
            DataError: if the file is no such table.
        """
        if self.records is not None:
            for line, record in enumerate(self.records, 1):
                yield line, [_text(record.get(name), name, self.path) for name in self.names]
            return
        with reading(self.path), open_text(self.path, self.encoding) as text:
            for number, values in self._values(text):
                if any(values):
                    texts = [value.strip() for value in values[: len(self.names)]]
                    yield number, texts + [""] * (len(self.names) - len(texts))

    def _values(self, text: io.TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
        """The number of each line after the header, and its values as they stand."""
        for _ in range(self.skipped):
            text.readline(CHUNK)
        if self.separator == " ":
            lines = enumerate(_bounded(text), self.skipped + 1)
            yield from ((number, line.split()) for number, line in islice(lines, int(self.has_header), None))
            return
        reader = csv.reader(text, delimiter=self.separator, strict=True)
        if self.has_header:
            next(reader, None)
        for values in reader:
            yield reader.line_num + self.skipped, values

    def columns(self, names: Sequence[str]) -> dict[str, pa.Array]:
        """The texts of some columns, held once; one that the table lacks is empty."""
        if self.records is not None:
            self._require_scalars(names)
        places = [self.names.index(name) if name in self.names else -1 for name in names]
        parts: dict[str, list[pa.Array]] = {name: [pa.array([], pa.string())] for name in names}
        rows = self.rows()
        while block := list(islice(rows, BLOCK)):
            for name, place in zip(names, places, strict=True):
                texts = [values[place] if place >= 0 else "" for _, values in block]
                parts[name].append(text_array(texts, self.path))
        return {name: pa.concat_arrays(parts.pop(name)) for name in list(parts)}

    def _require_scalars(self, names: Sequence[str]) -> None:
        for record in self.records or ():
            for name in names:
                value = record.get(name)
                if not isinstance(value, (*VALUES, type(None))) and not _is_list_of_values(value):
                    raise DataError(f"{self.path}: expected a text or number a line as `{name}`; got {value!r:.40}.")

    def line(self, row: int) -> int:
        """The number of a row's last line, which is asked for only where something is wrong with it."""
        number, _ = next(islice(self.rows(), row, None))
        return number


def text_array(texts: Sequence[str], path: Path) -> pa.Array:
    """Texts as a column.

    Raises:
        DataError: if one cannot be written in UTF-8.
    """
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: expected texts that can be written in UTF-8; got {error.object!r:.80}.") from error


def open_sheet(path: Path) -> Sheet:
    """Finds out how a table is written.

    Raises:
        DataError: if the file is not one.
    """
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _of_records(path, read_json_lines(path))
    if path.suffix.lower() == ".json":
        return _of_records(path, json_records(path))
    if path.suffix.lower() in TEXT_SUFFIXES and (found := open_text_sheet(path)) is not None:
        return found
    with reading(path):
        encoding = _encoding(path)
        with open_text(path, encoding) as text:
            lines = list(islice(_bounded(text), HEAD))
    skipped = _lines_before(lines)
    lines = lines[skipped:]
    separator = _separator(lines)
    with reading(path):
        rows = [row for row in csv.reader(lines, delimiter=separator, strict=False) if any(row)]
    if not rows:
        return Sheet(path, (), encoding=encoding)
    first = [value.strip() for value in rows[0]]
    if len(first) > COLUMNS:
        raise DataError(f"{path}: expected a table of at most {COLUMNS:,} columns; got {len(first):,}.")
    if _is_header(first, [[value.strip() for value in row] for row in rows[1:]]):
        return Sheet(path, _unique(first), True, encoding, separator, skipped=skipped)
    width = max(map(len, rows))
    return Sheet(
        path, tuple(f"column {place + 1}" for place in range(width)), False, encoding, separator, skipped=skipped
    )


def _lines_before(lines: Sequence[str]) -> int:
    """How many lines stand before a table: empty ones, and titles of one value where most lines have several."""
    counts = [sum(map(bool, map(str.strip, PARTED.split(line)))) for line in lines]
    several = 2 * sum(count > 1 for count in counts) > sum(map(bool, counts))
    return next((place for place, count in enumerate(counts) if count > several), 0)


def open_text_sheet(path: Path) -> Sheet | None:
    """A table in a text file whose columns a header names; None of another file, such as a list without a header.

    Before the header, a line may hold the number of rows; then the column of images may have no name, as in the lists
    of attributes of CelebA.
    """
    try:
        encoding = _encoding(path)
        with open_text(path, encoding) as text:
            lines = list(islice(_bounded(text), HEAD))
    except (OSError, UnicodeError, DataError):
        return None
    counted = len(lines) > 1 and lines[0].strip().isdecimal()
    lines = lines[counted:]
    separator = next((each for each in SEPARATORS if lines and each in lines[0]), " ")
    rows = [row for line in lines if (row := line.split(None if separator == " " else separator))]
    widths = {len(row) for row in rows[1:]}
    if len(rows) < 2 or len(widths) != 1 or min(widths) < 2:
        return None
    names = [name.strip().lstrip("#") for name in rows[0]]
    width = widths.pop()
    is_named = {plain(name) for name in names} & set(PATHS) and not any(suffix_of(n) in IMAGE_SUFFIXES for n in names)
    if counted and len(names) == width - 1:
        names = [IMAGE, *names]
    elif not is_named or len(names) != width:
        return None
    return Sheet(path, _unique(names), True, encoding, separator, skipped=int(counted))


def _of_records(path: Path, records: list[dict[str, object]]) -> Sheet:
    names = dict.fromkeys(name for record in records for name in record)
    if len(names) > COLUMNS:
        raise DataError(f"{path}: expected records of at most {COLUMNS:,} different keys; got {len(names):,}.")
    return Sheet(path, tuple(names), records=tuple(records))


def _is_list_of_values(value: object) -> bool:
    """Whether a value is a list of texts or numbers, as several labels are."""
    return isinstance(value, list) and all(isinstance(each, VALUES) for each in value)


def _text(value: object, name: str, path: Path) -> str:
    """The text of a value in a record; of a list or an object, its JSON."""
    if value is None:
        return ""
    if not isinstance(value, VALUES):
        return msgspec.json.encode(value).decode()
    return str(value).strip()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what goes wrong in a table into a sentence."""
    try:
        yield
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a table of text, such as CSV in UTF-8; {error}.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """A regular file as text, line ends as they stand in it."""
    with open_regular(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        yield text


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text; one that is far too long for a table is cut."""
    while line := text.readline(CHUNK):
        yield line


def _encoding(path: Path) -> str:
    """The encoding of a file by its mark, else UTF-8 where all of it is, else Windows-1252, which holds Latin-1."""
    with open_regular(path) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if size > MOST:
            raise DataError(f"{path}: expected a table of at most {MOST:,} bytes; got {size:,}.")
        start = file.read(CHUNK)
        for mark, name in MARKS:
            if start.startswith(mark):
                return name
        zeros = [start[place : 2 * HEAD : 2].count(0) for place in (0, 1)]
        if max(zeros) > HEAD // 4:
            return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while start:
                decoder.decode(start)
                start = file.read(CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _separator(lines: Sequence[str]) -> str:
    """What parts the values: what gives the same number of them, more than one, in most lines; of equals, the first."""

    def fit(separator: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator, strict=False) if any(row)]
        if not widths or widths[0] < 2:
            return 0, 0
        return sum(width == widths[0] for width in widths), widths[0]

    try:
        return max(SEPARATORS, key=fit)
    except csv.Error:  # which comes up again when the rows are read
        return ","


def _is_header(first: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it holds no image's name and no number where others hold numbers."""
    if any(suffix_of(value) in IMAGE_SUFFIXES for value in first):
        return False
    if {plain(value) for value in first} & KNOWN:
        return True
    if not all(first[:2]):
        return bool("".join(first))
    numbers = [place for place, value in enumerate(first) if _is_number(value)]
    return not any(_is_number(row[place]) for row in rows for place in numbers if place < len(row))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, of which an empty or repeated one becomes one of its own."""
    found: list[str] = []
    for place, name in enumerate(names):
        found.append(name if name and name not in found else f"column {place + 1}")
    return tuple(found)
