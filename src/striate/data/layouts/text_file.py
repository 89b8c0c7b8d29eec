"""Small text files that come with data: lists, names of classes, and the little YAML that YOLO needs."""

import re
from collections.abc import Sequence
from pathlib import Path

from striate.data.layouts.json_file import read_content
from striate.errors import DataError

MOST_YAML = 1 << 20  # bytes
MOST = 256 << 20  # bytes of a list; ImageNet's has 60 MB
NUMBER_FIRST = re.compile(r"(\d{1,5})[\s:,]+(.+)")
NUMBER_LAST = re.compile(r"(.+?)[\s:,]+(\d{1,5})")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without white space around them, in UTF-8 or else in Latin-1.

    Raises:
        DataError: if the file cannot be read or is too large.
    """
    content = read_content(path, MOST)
    if b"\0" in content[:1024] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: expected a text file; got zero bytes in it.")
    for encoding in ("utf-16",) if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            return [line.strip() for line in content.decode(encoding).splitlines()]
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path}: expected a text file in UTF-8.")


def numbered(lines: Sequence[str]) -> dict[int, str]:
    """The name of each number: of lines `0 sky`, `0: sky` or `sky 0`, else of the lines from 0.

    >>> numbered(["0: sky", "1: tree"]), numbered(["sky", "tree 7"])
    ({0: 'sky', 1: 'tree'}, {0: 'sky', 1: 'tree 7'})
    """
    for pattern, number, name in ((NUMBER_FIRST, 1, 2), (NUMBER_LAST, 2, 1)):
        matches = [pattern.fullmatch(line) for line in lines]
        found = {int(match[number]): match[name].strip() for match in matches if match}
        if len(set(found.values())) == len(found) == len(lines):
            return found
    return dict(enumerate(lines))


Yaml = dict[str, str | list[str] | dict[str, str]]


def read_yaml(path: Path) -> Yaml:
    """The keys at the outer level of a YAML file that describes a data set: texts, lists of texts, texts by key.

    No more of YAML than that is read: no anchors, no tags, nothing nested deeper.

    Raises:
        DataError: if the file cannot be read.
    """
    found: Yaml = {}
    items: list[str] = []
    pairs: dict[str, str] = {}
    for line in _joined(read_content(path, MOST_YAML).decode("utf-8", "replace").splitlines()):
        text = line.strip()
        if not text or text.startswith(("---", "%")):
            continue
        key = next(reversed(found), None)
        if text.startswith("- ") and key is not None:
            items.append(_scalar(text[2:]))
            found[key] = items
        elif line[:1].isspace() and key is not None and ":" in text:
            inner, _, value = text.partition(":")
            pairs[_scalar(inner)] = _scalar(value)
            found[key] = pairs
        elif ":" in text:
            name, _, value = text.partition(":")
            found.pop(_scalar(name), None)
            found[_scalar(name)] = _value(value.strip())
            items, pairs = [], {}
    return found


def _joined(lines: list[str]) -> list[str]:
    """Lines without comments, those of a list or mapping in brackets as one."""
    found: list[list[str]] = []
    depth = 0
    for line in lines:
        text = _without_comment(line)
        if depth:
            found[-1].append(text.strip())
        else:
            found.append([text])
        depth = max(0, depth + text.count("[") + text.count("{") - text.count("]") - text.count("}"))
    return [" ".join(parts) for parts in found]


def _without_comment(line: str) -> str:
    """A line up to a number sign that stands in no quotes, after white space or at the beginning."""
    quote = ""
    for place, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place]
    return line


def _value(text: str) -> str | list[str] | dict[str, str]:
    if text[:1] == "[":
        return [_scalar(item) for item in _items(text[1:].rstrip(" ]"))]
    if text[:1] == "{":
        pairs = (item.partition(":") for item in _items(text[1:].rstrip(" }")))
        return {_scalar(key): _scalar(value) for key, _, value in pairs}
    return _scalar(text)


def _items(text: str) -> list[str]:
    """What commas part that stand in no quotes."""
    found, start, quote = [], 0, ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ",":
            found.append(text[start:place])
            start = place + 1
    return [item for item in [*found, text[start:]] if item.strip()]


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text
