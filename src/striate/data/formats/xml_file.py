"""XML from outside: of bounded size and depth, without entities, which can grow without end."""

from pathlib import Path
from xml.etree import ElementTree

from striate.data.layouts.json_file import read_content
from striate.errors import DataError

MOST = 1 << 30  # bytes of a file for many images
DEPTH = 64  # elements within one another


def parse_xml(path: Path, most: int = MOST) -> ElementTree.Element:
    """The outer element of an XML file.

    Raises:
        DataError: if the file cannot be read, declares entities, is no XML or nests too deep.
    """
    content = read_content(path, most)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise DataError(f"{path}: expected plain XML in UTF-8; got one that declares entities or another encoding.")
    parser = ElementTree.XMLParser(target=_Bounded(path))
    try:
        parser.feed(content)
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
