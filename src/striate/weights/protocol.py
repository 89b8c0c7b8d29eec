"""Pickles of protocols 3 to 5 as ones of protocol 2, which PyTorch's reader of tensors alone can read.

Nothing is unpickled here: operations are exchanged for older ones that mean the same, and any other is left as it is,
for the reader to refuse. A class that protocol 4 names by two strings is named in one operation, as in protocol 2, and
sets become lists, bytearrays bytes.
"""

import pickletools
import struct
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, BinaryIO

PICKLE = b"\x80"  # at the beginning of a pickle, followed by its protocol
LATER = (3, 4, 5)
STRINGS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8")  # made of letters in protocol 2
GETS = ("BINGET", "LONG_BINGET")
PUTS = ("BINPUT", "LONG_BINPUT")
OLDER = {  # sets become lists, which no tensor is in
    "PROTO": PICKLE + b"\x02",
    "EMPTY_SET": b"]",
    "ADDITEMS": b"e",
    "FROZENSET": b"t",
}
MOST = 1 << 24  # bytes of what is written: strings that are asked for again are written again
Operation = tuple[bytes, str | None]  # its bytes, and the string that it puts on the stack, where it does


def older(content: bytes) -> bytes:
    """A pickle of protocol 2 that means what one of a later protocol does.

    Raises:
        ValueError: it is no pickle, or names a class in another way than pickles do.
    """
    return b"".join(raw for raw, _ in _older(content))


def _older(content: bytes) -> list[Operation]:
    operations: list[Operation] = []
    strings: dict[int, str] = {}  # by their number in the memo; a string that is asked for is written again
    count = 0  # of what is in the memo
    size = 0
    for name, argument, raw in _operations(content):
        last = operations[-1][1] if operations else None
        if name == "MEMOIZE" or name in PUTS:
            number = count if name == "MEMOIZE" else int(argument)
            count += 1
            strings.pop(number, None)
            if last is None:
                operations.append((b"r" + struct.pack("<I", number), None))
            else:
                strings[number] = last
        elif name in STRINGS or (name in GETS and argument in strings):
            text = str(strings[argument] if name in GETS else argument)
            size += len(text)
            if size > MOST:
                raise ValueError(f"expected at most {MOST:,} letters beside the tensors' values; got more")
            operations.append((_string(text), text))
        elif name in BYTES:
            letters = str(argument, "latin-1")
            operations.append((b"c_codecs\nencode\n" + _string(letters) + _string("latin1") + b"\x86R", None))
        elif name == "STACK_GLOBAL":
            named = [operations.pop()[1] for _ in operations[-2:]]
            if len(named) < 2 or any(each is None or "\n" in each for each in named):
                raise ValueError("a class is named by something else than two strings")
            operations.append((f"c{named[1]}\n{named[0]}\n".encode(), None))
        elif name != "FRAME":
            operations.append((OLDER.get(name, raw), None))
    return operations


def _string(text: str) -> bytes:
    """The operation that puts a string on the stack."""
    encoded = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _operations(content: bytes) -> Iterator[tuple[str, Any, bytes]]:
    """(name, argument, bytes) of each operation of a pickle."""
    found = [(operation.name, argument, place or 0) for operation, argument, place in pickletools.genops(content)]
    ends = [place for _, _, place in found[1:]] + [len(content)]
    return ((name, argument, content[place:end]) for (name, argument, place), end in zip(found, ends, strict=True))


def in_protocol_2(file: BinaryIO) -> BinaryIO:
    """A file of `torch.save` whose pickle is of protocol 2: itself, unless it is an archive of a later one.

    Raises:
        ValueError, zipfile.BadZipFile: it is no such file.
    """
    start = file.tell()
    if not zipfile.is_zipfile(file):
        file.seek(start)
        return file
    file.seek(start)
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if PurePosixPath(name).name == "data.pkl"]
        content = archive.read(names[0]) if names else b""
        if content[:1] != PICKLE or content[1] not in LATER:
            file.seek(start)
            return file
        copied = BytesIO()
        with zipfile.ZipFile(copied, "w", zipfile.ZIP_STORED) as copy:
            for name in archive.namelist():
                copy.writestr(name, older(content) if name == names[0] else archive.read(name))
    copied.seek(0)
    return copied
