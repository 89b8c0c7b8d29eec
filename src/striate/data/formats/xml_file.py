"""XML from outside: of bounded size and depth, without entities, which can grow without end."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

from striate.data.layouts.json_file import read_content
from striate.errors import DataError

T = TypeVar("T")
CHUNK = 1 << 20  # bytes
DEPTH = 64  # elements within one another


def parse_xml(path: Path, most: int) -> ElementTree.Element:
    """The outer element of an XML file.

    Raises:
        DataError: if the file cannot be read, declares entities, is no XML or nests too deep.
    """
    return _parsed(path, most, _Bounded(path))


def stream_xml(path: Path, tag: str, take: Callable[[ElementTree.Element], T], most: int) -> tuple[str, list[T]]:
    """The tag of the outer element, and what `take` makes of each element called `tag`, none of which is kept.

    Raises:
        DataError: as `parse_xml`.
    """
    found: list[T] = []
    root = _parsed(path, most, _Streamed(path, tag, lambda element: found.append(take(element))))
    return root.tag, found


def _parsed(path: Path, most: int, target: "_Bounded") -> ElementTree.Element:
    content = read_content(path, most)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise DataError(f"{path}: expected plain XML in UTF-8; got one that declares entities or another encoding.")
    parser = ElementTree.XMLParser(target=target)
    try:
        for start in range(0, len(content), CHUNK):  # of the whole at once, the parser keeps a copy
            parser.feed(content[start : start + CHUNK])
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: expected an annotation in XML; {error}.") from error
    return root


class _Bounded(ElementTree.TreeBuilder):
    """Builds a tree, and stops where elements lie too deep within one another."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > DEPTH:
            raise DataError(f"{self._path}: expected at most {DEPTH} elements within one another; got more.")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


class _Streamed(_Bounded):
    """Hands over each element of a tag when it is whole, and forgets it."""

    def __init__(self, path: Path, tag: str, hand: Callable[[ElementTree.Element], None]) -> None:
        super().__init__(path)
        self._tag = tag
        self._hand = hand
        self._open: list[ElementTree.Element] = []

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        element = super().start(tag, attrs)
        self._open.append(element)
        return element

    def end(self, tag: str, /) -> ElementTree.Element:
        element = super().end(tag)
        self._open.pop()
        if tag == self._tag:
            self._hand(element)
            if self._open:
                self._open[-1].remove(element)
        return element
