"""Files that appear whole or not at all, what may be opened, and text from outside that is made fit to print."""

import errno
import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

MESSAGE_LENGTH = 500  # characters of a message, its end of line apart
NAME_LENGTH = 80  # characters of a name in a list
NAMES = 8  # in a list
GB = 10**9
CHECKED = b"striateC"  # how a file of a cache begins; then comes the digest of what follows
DIGEST_SIZE = 16  # bytes
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
OPENED = {"r": os.O_RDONLY, "r+": os.O_RDWR, "a": os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)}
NOT_SHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, surrogate, line and paragraph separator
JOINERS = "\u200c\u200d"  # format characters that written languages need
LINK_FOLDERS = ("/dev", "/proc")  # whose links stand for what a process has open


def regular(path: Path) -> Path:
    """The path itself, where it is that of a regular file: for libraries that open files themselves.

    Raises:
        OSError: if it is a folder, a named pipe, a device or a socket; or if there is no such file.
    """
    try:
        status = path.stat()
    except ValueError as error:  # a zero byte in it, or what no file system can name
        raise OSError(errno.EINVAL, f"expected the name of a file: {error}", str(path)) from error
    _require_regular(status, path)
    return path


def open_regular(path: Path, mode: Literal["r", "r+", "a"] = "r", *, links: bool = True) -> BinaryIO:
    """Opens a regular file in binary, and never waits for the other end of a pipe, nor touches a device.

    Args:
        path: of the file.
        mode: "r" reads, "r+" reads and writes, "a" appends to a file that is made where it is missing, and follows no
            link.
        links: whether a link stands for what it leads to. Caches hold none, so that one in their place, which may lead
            to anything that this user can read, is like a file that is damaged.

    Raises:
        OSError: as `regular` does, if the file cannot be opened, and if it is a link where none is followed.
    """
    if mode != "a" or os.path.lexists(path):
        regular(path)
    if not links and path.is_symlink():
        raise OSError(errno.ELOOP, "expected a file; got a link", str(path))
    flags = OPENED[mode] | (0 if links else getattr(os, "O_NOFOLLOW", 0))
    file = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0), 0o666)
    try:
        _require_regular(os.fstat(file), path)  # it may have been replaced since
    except OSError:
        os.close(file)
        raise
    return cast("BinaryIO", os.fdopen(file, {"r": "rb", "r+": "rb+", "a": "ab"}[mode]))


def read_bytes(path: Path, most: int = GB) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: as `open_regular` does, and if the file has more than `most` bytes.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) if size <= most else b""  # room for a gigabyte each time would take longer
        if len(content) > size:  # a file of /proc says 0
            content += file.read(most + 1 - len(content))
    if max(size, len(content)) > most:
        raise OSError(errno.EFBIG, f"expected at most {most:,} bytes; got {max(size, len(content)):,}", str(path))
    return content


def read_text(path: Path, encoding: str = "utf-8", most: int = GB) -> str:
    """The text of a regular file, of at most `most` bytes, with line ends as they stand in it.

    Raises:
        OSError: as `read_bytes` does.
        UnicodeDecodeError: if it is not in this encoding.
    """
    return read_bytes(path, most).decode(encoding)


def _require_regular(status: os.stat_result, path: Path) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"expected a regular file; got {KINDS.get(kind, 'another thing')}", str(path))


def walk(root: Path, *, hidden: bool = False) -> Iterator[str]:
    """The paths of all files below a folder, relative to it, in the same order everywhere.

    A folder that links lead to again is listed once, so that links can neither go round nor multiply. What a link
    leads to counts as what it is; one that leads nowhere is a file.

    Args:
        root: the folder.
        hidden: whether files and folders whose names begin with a dot are listed too.

    Raises:
        OSError: if a folder cannot be listed.
    """
    visited: set[tuple[int, int]] = set()
    waiting = [""]  # in reverse order: the last one is next
    while waiting:
        path = waiting.pop()
        if path and not path.endswith("/"):
            yield path
            continue
        status = (root / path).stat()
        if (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(root / path) as entries:
            shown = [entry for entry in entries if hidden or not entry.name.startswith(".")]
        found = sorted((entry.name, "/" if is_folder(entry) else "") for entry in shown)
        waiting += [f"{path}{name}{end}" for name, end in reversed(found)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def write_whole(path: Path, write: Callable[[Path], object], *, links: bool = True) -> None:
    """Lets `write` make a file beside `path`, brings it to the disk, and only then gives it the name.

    Whatever stood at `path` stays there until then, also if the machine stops in between. A device such as /dev/null,
    or a pipe that someone reads, stays what it is: the content goes into it. So does a link: what it leads to is
    replaced.

    Args:
        path: of the file, in a folder that exists.
        write: called with the path to write to.
        links: whether a link stands for what it leads to; else it is replaced itself, as in caches.

    Raises:
        OSError: if `path` is a folder, a disk, a socket, a pipe that nobody reads or a link to itself; or if it cannot
            be written.
    """
    if _is_outlet(path):
        _write_through(path, write)
        return
    target = _led_to(path) if links else path
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        aside.touch()
        mode = aside.stat().st_mode  # what this process's umask gives a file
        aside.unlink()
        write(aside)
        aside.chmod(mode)  # some libraries make files that their owner alone may read
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if error.filename is None or str(error.filename) == str(aside):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # where nothing could be made, nothing is to be removed
            aside.unlink(missing_ok=True)


def write_checked(path: Path, content: bytes | Iterable[bytes | memoryview]) -> None:
    """Writes what is kept in a cache, whole or not at all, with a digest of it in front; see `read_checked`.

    Args:
        path: of the file.
        content: of the file; or its pieces, which need not be in memory together.

    Raises:
        OSError: as `write_whole` does, and if the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or not path.is_file():  # a pipe, or a link to a device, would take the content
        remove(path)

    def write(aside: Path) -> None:
        digest = hashlib.blake2b(digest_size=DIGEST_SIZE)
        with aside.open("wb") as file:
            file.write(CHECKED + bytes(DIGEST_SIZE))
            for piece in [content] if isinstance(content, bytes) else content:
                digest.update(piece)
                file.write(piece)
            file.seek(len(CHECKED))
            file.write(digest.digest())

    write_whole(path, write, links=False)


def remove(path: Path) -> None:
    """Removes what is at a path, if anything: a folder with all in it, a file or a pipe, and of a link the link itself.

    Raises:
        OSError: if it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_checked(path: Path) -> bytes | None:
    """What `write_checked` kept; None where that is not there, a link, over 4 GB, cut, changed or another program's."""
    try:
        with open_regular(path, links=False) as file:
            start = file.read(len(CHECKED) + DIGEST_SIZE)
            size = os.fstat(file.fileno()).st_size - len(start)
            content = file.read(size + 1) if size <= 4 * GB else b""
    except OSError:
        return None
    digest = hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()
    return content if start == CHECKED + digest else None


def _is_outlet(path: Path) -> bool:
    """Whether content goes into `path` instead of taking its place."""
    try:
        status = path.stat()
    except OSError:  # there is none, or what is wrong comes up when it is written
        return False
    if path.is_symlink() and any(path.absolute().is_relative_to(folder) for folder in LINK_FOLDERS):  # /dev/stdout
        return True
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        _require_regular(status, path)
        return False
    return True


def _led_to(path: Path) -> Path:
    """What a link leads to at last, whether or not it is there; the path itself where it is no link."""
    if not path.is_symlink():
        return path
    with suppress(FileNotFoundError):
        path.stat()  # an error, where it leads to itself
    return Path(os.path.realpath(path))


def _write_through(path: Path, write: Callable[[Path], object]) -> None:
    target = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))  # an error, where nobody reads a pipe
    try:
        with os.fdopen(target, "wb") as out, tempfile.TemporaryDirectory() as folder:
            os.set_blocking(target, True)
            content = Path(folder) / "content"
            write(content)
            with content.open("rb") as file:
                shutil.copyfileobj(file, out)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _sync_folder(path: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def fit_to_print(text: str, limit: int = MESSAGE_LENGTH) -> str:
    r"""Text from outside, as one line that a terminal shows and does not obey.

    Control characters, line ends, characters that reverse the direction of a line, and the bytes of names that are not
    UTF-8 are shown as escapes; from the middle of a long text, what is too much is replaced by a count of it.

    Args:
        text: from a file, a name, a flag or another library.
        limit: most characters of the result, from 40.

    >>> fit_to_print("a\x1b[31m red\nname \udcff")
    'a\\x1b[31m red\\nname \\xff'
    >>> fit_to_print("0123456789" * 100, 40)
    '012345678… (987 more characters) …6789'
    """
    if len(text) > 2 * limit:  # before all of it is looked at, one character after the other
        text, left = text[:limit] + text[-limit:], len(text) - 2 * limit
    else:
        left = 0
    shown = text if text.isascii() and text.isprintable() else "".join(map(_shown, text))
    if not left and len(shown) <= limit:
        return shown
    room = limit - len(f"… ({left + len(shown):,} more characters) …")
    first, last = room - room // 3, room // 3
    rest = left + len(shown) - first - last
    return f"{shown[:first]}… ({rest:,} more characters) …{shown[len(shown) - last :]}"


def _shown(character: str) -> str:
    if unicodedata.category(character) not in NOT_SHOWN or character in JOINERS:
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that was not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def whole_number(text: str) -> int | None:
    """The number that up to nine digits write; None of any other text, and so of 5,000 digits, which Python refuses.

    >>> whole_number("042"), whole_number("-1"), whole_number("9" * 5000)
    (42, None, None)
    """
    return int(text) if text.isdecimal() and len(text) < 10 else None


def json_text(values: Any, indent: int | None = None) -> str:
    """JSON that every reader takes: a number that is not finite, for which JSON has no word, is null.

    >>> json_text({"iou": float("nan"), "count": 2})
    '{"iou": null, "count": 2}'
    """
    return json.dumps(_finite(values), indent=indent, allow_nan=False)


def _finite(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def format_bytes(count: int) -> str:
    """A number of bytes in the unit that suits it: 4.0 MB is 4,000,000."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def list_names(names: Iterable[str], most: int = NAMES) -> str:
    """Names from outside in a sentence: fit to print, in quotes where they hold a comma, the first few of many.

    Args:
        names: of classes, files, tensors, columns.
        most: names that are listed; of the rest there is a count.

    >>> list_names(["ant", "bee", "tench, Tinca tinca"])
    'ant, bee and "tench, Tinca tinca"'
    >>> list_names(map(str, range(1000)), 3)
    '0, 1, 2 and 997 more'
    """
    shown: list[str] = []
    rest = 0
    for name in names:
        if len(shown) < most:
            fit = fit_to_print(name, NAME_LENGTH)
            shown.append(f'"{fit}"' if "," in fit else fit)
        else:
            rest += 1
    if rest:
        return f"{', '.join(shown)} and {rest:,} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
