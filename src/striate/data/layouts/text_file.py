"""Small text files that come with data: lists, names of classes, and the little YAML that YOLO needs."""

from pathlib import Path

from striate.data.layouts.json_file import read_content
from striate.errors import DataError

MOST = 256 << 20  # bytes of a list; ImageNet's has 60 MB


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


def read_yaml(path: Path) -> dict[str, str | list[str] | dict[str, str]]:
    """The keys at the outer level of a YAML file that describes a data set: texts, lists of texts, texts by key.

    No more of YAML than that is read: no anchors, no tags, nothing nested deeper.

    Raises:
        DataError: if the file cannot be read.
    """
    found: dict[str, str | list[str] | dict[str, str]] = {}
    key = ""
    for line in _joined(read_lines_indented(path)):
        text = line.strip()
        if not text or text.startswith(("#", "---", "%")):
            continue
        if text.startswith("- ") and key:
            items = found[key] if isinstance(found[key], list) else []
            found[key] = [*items, _scalar(text[2:])]
        elif line[:1].isspace() and key and ":" in text:
            inner, _, value = text.partition(":")
            pairs = found[key] if isinstance(found[key], dict) else {}
            found[key] = {**pairs, _scalar(inner): _scalar(value)}  # type: ignore[dict-item]
        elif ":" in text:
            key, _, value = text.partition(":")
            key = _scalar(key)
            found[key] = _value(value.strip())
    return found


def read_lines_indented(path: Path) -> list[str]:
    """The lines of a text file as they stand."""
    content = read_content(path, 1 << 20)
    return content.decode("utf-8", "replace").splitlines()


def _joined(lines: list[str]) -> list[str]:
    """Lines, those of a list or mapping in brackets as one."""
    found: list[str] = []
    depth = 0
    for line in lines:
        text = line if '"' in line or "'" in line else line.partition(" #")[0]
        if depth:
            found[-1] += " " + text.strip()
        else:
            found.append(text)
        depth = max(0, depth + text.count("[") + text.count("{") - text.count("]") - text.count("}"))
    return found


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
    return text.partition(" #")[0].strip()
