"""The paths of an index: the file that each means, how its name is written, and whether it stays in the data's folder.

A name of a file is any bytes, a column of an index is UTF-8. So a byte that is not UTF-8 is written as the replacement
character and two digits, and the replacement character itself as that and two dashes; nothing else changes, and nothing
is lost. What an index holds can therefore be printed, and written to CSV, JSON, Parquet and HTML.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from striate.files import regular, whole_number

IDX_SUFFIXES = ("ubyte", "ubyte.gz")
PARQUET_SUFFIX = ".parquet"
ARRAY_SUFFIXES = (".npz", ".npy")
ODD = r"[#\\\x00]|(^|/)\.{0,2}$|^/[^/]*$|^.:"  # a path of which the text before its last `/` is not the whole story

MARK = "\ufffd"
WRITTEN = re.compile(f"{MARK}([0-9a-f][0-9a-f]|--)")
UNWRITABLE = re.compile(f"[{MARK}\udc80-\udcff]")
NOT_UTF_8 = re.compile("[\udc80-\udcff]")


def to_text(name: str) -> str:
    """The name or path of a file as an index holds it: text that is always UTF-8.

    >>> to_text("caf\\udce9.jpg") == "caf\\ufffde9.jpg"
    True
    """
    if name.isascii():
        return name
    return UNWRITABLE.sub(lambda found: MARK + ("--" if found[0] == MARK else f"{ord(found[0]) - 0xDC00:02x}"), name)


def to_name(text: str) -> str:
    """The name of the file that `to_text` wrote."""
    if MARK not in text:
        return text
    return WRITTEN.sub(lambda found: MARK if found[1] == "--" else chr(0xDC00 + int(found[1], 16)), text)


def to_texts(names: Iterable[str | None] | pa.Array) -> pa.Array:
    """Many names as a column, None as null; those that are no UTF-8 as `to_text` writes them, all others unchanged."""
    if isinstance(names, pa.Array | pa.ChunkedArray):
        return names
    names = list(names)
    try:
        return pa.array(names, pa.string())
    except UnicodeEncodeError:
        return pa.array([name and as_text(name) for name in names], pa.string())


def as_text(name: str) -> str:
    """A name as `to_text` writes it, if it is no UTF-8: for names of which some have been written so already."""
    return to_text(name) if NOT_UTF_8.search(name) else name


def file_of(root: Path, path: str) -> Path:
    """The file of a path of an index, of which `root` is the folder."""
    return root / to_name(path)


def file_and_number(path: str) -> tuple[str, int | None]:
    """The file of an index's path, and which of its images is meant where it holds many.

    >>> file_and_number("train.parquet#7"), file_and_number("photo#7.jpg")
    (('train.parquet', 7), ('photo#7.jpg', None))
    """
    name, _, number = path.rpartition("#")
    place = whole_number(number)
    if place is not None and name.lower().endswith((*IDX_SUFFIXES, PARQUET_SUFFIX, *ARRAY_SUFFIXES)):
        return name, place
    return path, None


def open_arrow(path: Path, *, mapped: bool = False) -> pa.NativeFile:
    """A regular file for Arrow to read, whatever its name: one that is not UTF-8, Arrow takes as bytes alone.

    Args:
        path: of the file.
        mapped: whether it is mapped into memory.

    Raises:
        OSError: if it is no regular file, or cannot be opened.
    """
    name = os.fsencode(regular(path))
    return pa.memory_map(name) if mapped else pa.OSFile(name)


class SafePaths:
    """Tells why a path may not be opened; quick on many files of few folders, each of which is listed once.

    >>> SafePaths(Path("data"))("../secret.png")
    "its path leads out of the data's folder"
    """

    def __init__(self, root: Path) -> None:
        """Takes the folder that relative paths start from."""
        self._root = root.resolve()
        self._folders: dict[str, tuple[str | None, frozenset[str]]] = {}  # what is wrong with each, the links in it

    def __call__(self, path: str | None) -> str | None:
        """The reason, None where the path stays in the root wherever its links and `..` lead."""
        if not path:
            return "no path is given"
        file, _ = file_and_number(path)
        folder, name = os.path.split(file)
        wrong, links = self._folder(folder)
        if wrong is None and (name in ("", ".", "..") or name in links or "\0" in name):
            return self._wrong(file)
        return wrong

    def reasons(self, paths: pa.Array) -> pa.Array:
        """The reason of each of many paths, null for none."""
        odd = np.asarray(pc.match_substring_regex(paths, ODD))
        folder = pc.replace_substring_regex(paths, r"/?[^/]*$", "").dictionary_encode()
        met = [self._folder(each) for each in folder.dictionary.to_pylist()]
        suspect = np.array([wrong is not None or bool(links) for wrong, links in met], np.bool_)
        asked = pa.array(odd | suspect[np.asarray(folder.indices)])
        reasons = pa.array([self(path) for path in paths.filter(asked).to_pylist()], pa.string())
        return pc.replace_with_mask(pa.nulls(len(paths), pa.string()), asked, reasons)

    def _folder(self, folder: str) -> tuple[str | None, frozenset[str]]:
        """What is wrong with a folder, and the names in it that are links."""
        if folder not in self._folders:
            wrong = self._wrong(folder)
            self._folders[folder] = self._listed(folder) if wrong is None else (wrong, frozenset())
        return self._folders[folder]

    def _listed(self, folder: str) -> tuple[str | None, frozenset[str]]:
        try:
            with os.scandir(file_of(self._root, folder).resolve()) as entries:
                return None, frozenset(to_text(entry.name) for entry in entries if entry.is_symlink())
        except (FileNotFoundError, NotADirectoryError):  # nothing to be opened, and so no way out
            return None, frozenset()
        except OSError as error:
            return f"its path cannot be followed: {error}", frozenset()

    def _wrong(self, path: str) -> str | None:
        try:
            inside = file_of(self._root, path).resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a zero byte
            return f"its path cannot be followed: {error}"
        return None if inside else "its path leads out of the data's folder"
