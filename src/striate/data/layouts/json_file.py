"""JSON from outside: of bounded size, typed where it is decoded, and told in a sentence where it is something else."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from striate.errors import DataError
from striate.files import open_regular, read_bytes

MOST = 2 << 30  # bytes; the annotations of COCO have half a gigabyte
HEAD = 1 << 16  # bytes at either end of a file that tell what it holds
T = TypeVar("T")


def decode_json(path: Path, kind: type[T] | Any, what: str) -> T:
    """The content of a JSON file as a type.

    Args:
        path: of the file.
        kind: type that msgspec converts to.
        what: the content expected, for the message.

    Raises:
        DataError: if the file cannot be read, or holds something else.
    """
    content = read_content(path)
    try:
        decoded: T = msgspec.json.decode(content, type=kind)
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        raise DataError(f"{path}: expected {what}; {error}.") from error
    return decoded


def read_json_lines(path: Path) -> list[dict[str, object]]:
    """The objects of a file with a JSON object a line.

    Raises:
        DataError: if the file cannot be read, or holds something else.
    """
    content = read_content(path)
    try:
        rows: list[dict[str, object]] = msgspec.json.Decoder(dict[str, object]).decode_lines(content)
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        raise DataError(f"{path}: expected a JSON object a line; {error}.") from error
    return rows


def read_content(path: Path, most: int = MOST) -> bytes:
    """The bytes of a regular file, without a byte order mark.

    Raises:
        DataError: if the file cannot be read, or is larger than `most`.
    """
    try:
        return read_bytes(path, most).removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error


def ends_of(path: Path) -> bytes:
    """The beginning and the end of a file, which tell what a large JSON file holds; b"" where it cannot be read."""
    try:
        with open_regular(path) as file:
            start = file.read(HEAD)
            size = file.seek(0, 2)
            file.seek(max(size - HEAD, len(start)))
            return start + file.read(HEAD)
    except OSError:
        return b""
