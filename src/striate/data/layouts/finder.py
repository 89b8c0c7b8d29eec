"""Finds the image that a table, a list or an annotation means by what it writes."""

import os
import posixpath
import re
import unicodedata
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from striate.data.image_formats import IMAGE_SUFFIXES
from striate.data.layouts.names import is_container, parts_of, split_of_path
from striate.data.layouts.tree import Folder, Tree, suffix_of
from striate.data.paths import file_of

UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")  # what Label Studio puts before a file's name
LOCAL = re.compile(r"^.*[?&]d=")  # what Label Studio puts before a path of its own disk
SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/]*/")
DRIVE = re.compile(r"^[a-zA-Z]:/")


class ImageFinder:
    """Finds images of a tree by a path from anywhere, with or without suffix, or by a name alone.

    Nothing but what the tree lists is ever found, so that no text can lead out of it.
    """

    def __init__(self, tree: Tree) -> None:
        """Takes the tree, and looks at it only as far as it is asked."""
        self._tree = tree
        self._sets: dict[str, frozenset[str]] = {}

    def find(self, text: str, near: str = "", split: str | None = None) -> str | None:
        """The path, from the root, of the image that `text` means; None where there is none or there are several.

        Args:
            text: a path or a name, as a file of the data writes it.
            near: folder of that file, from the root.
            split: what that file's name says, which tells images of the same name apart.
        """
        for path in _spellings(normal(text)):
            found = self._find(path, near, split)
            if found is not None:
                return found
        name = normal(text)
        if suffix_of(name) in IMAGE_SUFFIXES:  # as an image is called that was saved in another format
            found = self._find(stem(name), near, split)
            return None if found is None or _is_of_labels(found) else found
        return None

    def is_of_several(self, text: str) -> bool:
        """Whether images in several folders have the name that a text ends in."""
        name = normal(text).rpartition("/")[2]
        return len(self._by_name.get(name) or self._by_stem.get(name) or ()) > 1

    def _find(self, path: str, near: str, split: str | None) -> str | None:
        if not path:
            return None
        names = path.split("/")
        if ".." in names:
            straight = posixpath.normpath(posixpath.join(near, path))
            return None if straight.startswith("..") else self._at(straight)
        bases = dict.fromkeys((near, near.rpartition("/")[0], ""))
        alone = len(names) == 1 or is_container(names[-2]) or names[-2].isdecimal() or self._is_flat
        for first in range(len(names) if alone else len(names) - 1):  # of a path from elsewhere, the end may be here
            tail = "/".join(names[first:])
            for base in bases:
                found = self._at(f"{base}/{tail}" if base else tail)
                if found is not None:
                    return found
            if first < len(names) - 1:
                found = self._below(names[first:], near, split)
                if found is not None:
                    return found
        if not alone:
            return None  # an image of the same name in another folder is another image
        name = names[-1]
        return self._named(name, near, split) or self._named(UPLOAD.sub("", name), near, split)

    def _at(self, path: str) -> str | None:
        """The image at a path, which may lack its suffix."""
        folder, _, name = path.rpartition("/")
        images = self._images(folder)
        if name in images:
            return path
        if suffix_of(name) not in IMAGE_SUFFIXES and images:
            stems = self._stems_of(folder)
            if name in stems:
                return f"{folder}/{stems[name]}" if folder else stems[name]
        return None

    def _below(self, names: list[str], near: str, split: str | None) -> str | None:
        """The image with this name in a folder of the name before it, wherever that lies, if there is one alone."""
        ends = [folder for folder in self._folders_named.get(names[-2], ()) if self._ends(folder.path, names[:-1])]
        found = [path for folder in ends if (path := self._at(folder.path_of(names[-1]))) is not None]
        return _only(found, near, split)

    @staticmethod
    def _ends(path: str, names: list[str]) -> bool:
        return f"/{path}".endswith("/" + "/".join(names))

    def _named(self, name: str, near: str, split: str | None) -> str | None:
        """The only image of a name, with or without its suffix; of several, the one of the folder's split."""
        found = self._by_name.get(name)
        if found is None and suffix_of(name) not in IMAGE_SUFFIXES:
            found = self._by_stem.get(name)
        return _only(found or (), near, split)

    def _images(self, folder: str) -> frozenset[str]:
        if folder not in self._sets:
            found = self._tree.folder(folder)
            self._sets[folder] = frozenset(found.images if found else ())
        return self._sets[folder]

    def _stems_of(self, folder: str) -> dict[str, str]:
        if folder not in self._stems:
            self._stems[folder] = {stem(name): name for name in sorted(self._images(folder), reverse=True)}
        return self._stems[folder]

    @cached_property
    def _is_flat(self) -> bool:
        """Whether all images lie in one folder."""
        return sum(bool(folder.images) for folder in self._tree.top.walk()) == 1

    @cached_property
    def _stems(self) -> dict[str, dict[str, str]]:
        return {}

    @cached_property
    def _folders_named(self) -> dict[str, list[Folder]]:
        found: dict[str, list[Folder]] = {}
        for folder in self._tree.top.walk():
            if folder.images:
                found.setdefault(folder.name, []).append(folder)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for folder in self._tree.top.walk():
            for name in folder.images:
                found.setdefault(name, []).append(folder.path_of(name))
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for paths in self._by_name.values():
            for path in paths:
                found.setdefault(stem(path.rpartition("/")[2]), []).append(path)
        return found


class DirectFinder:
    """Finds images by their whole path from the root, one by one, where to list all below it may take long."""

    def __init__(self, root: Path) -> None:
        """Takes the folder that paths start from."""
        self._root = root

    def find(self, text: str, near: str = "", split: str | None = None) -> str | None:
        """The path where a file is there."""
        path = normal(text)
        found = f"{near}/{path}" if near else path
        if not path or ".." in path.split("/"):
            return None
        return found if os.path.isfile(file_of(self._root, found)) else None  # noqa: PTH113 - `Path.is_file` raises on a long name


def normal(text: str) -> str:
    """A path as this house writes it, from anywhere: slashes, no drive, no scheme, no point at its beginning.

    >>> normal(r"C:\\data\\ants\\1.jpg"), normal("/data/upload/1/0.jpg"), normal("./a//1.jpg")
    ('data/ants/1.jpg', 'data/upload/1/0.jpg', 'a/1.jpg')
    >>> normal("/data/local-files/?d=images/0.jpg"), normal("https://host/images/0.jpg?x=1")
    ('images/0.jpg', 'images/0.jpg')
    """
    path = text.strip().strip("\"'").replace("\\", "/")
    path = LOCAL.sub("", path)
    if SCHEME.match(path):
        path = SCHEME.sub("", path).split("?")[0]
    path = DRIVE.sub("", path)
    if "\0" in path:
        return ""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _spellings(path: str) -> list[str]:
    """A path as it may be spelt elsewhere: accents composed or apart, names in Latin-1, and signs as in addresses."""
    unquoted = [unquote(path)] if "%" in path else []
    if path.isascii():
        return [path, *unquoted]
    spellings = [path, *unquoted, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)]
    with suppress(UnicodeEncodeError):
        spellings.append(path.encode("cp1252").decode("utf-8", "surrogateescape"))
    return list(dict.fromkeys(spellings))


def stem(name: str) -> str:
    """A file's name without its last suffix.

    >>> stem("a.b.jpg"), stem("a")
    ('a.b', 'a')
    """
    return name.rpartition(".")[0] or name


def _only(paths: "list[str] | tuple[()]", near: str, told: str | None) -> str | None:
    """The only path of no mask and no other split than `near`; of several, the only one below it or of its split.

    Where `near` says no split, of several it is the only one of the split that is `told`.
    """
    split = split_of_path(near)
    images = [path for path in paths if not _is_of_labels(path)] or list(paths)
    near_by = [path for path in images if split_of_path(path.rpartition("/")[0]) in (split, None)] if split else images
    if len(near_by) < 2:
        return next(iter(near_by), None)
    below = [path for path in near_by if near and path.startswith(f"{near}/")]
    split = split or told
    same = [path for path in near_by if split is not None and split_of_path(path.rpartition("/")[0]) == split]
    return next((found[0] for found in (below, same) if len(found) == 1), None)


def _is_of_labels(path: str) -> bool:
    """Whether a folder of a path says that it holds masks."""
    return any(parts_of(name).role == "labels" for name in path.split("/")[:-1])
