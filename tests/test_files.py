import functools
import json
import math
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.files import (
    fit_to_print,
    format_bytes,
    json_text,
    list_names,
    open_regular,
    read_bytes,
    read_text,
    regular,
    walk,
    write_whole,
)


def test_a_new_file_has_what_was_written_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, lambda aside: aside.write_text("new"))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    seen = []

    def write(aside: Path) -> None:
        aside.write_text("new")
        seen.append((aside.parent, path.read_text()))

    with path.open() as reader:
        write_whole(path, write)
        assert reader.read() == "old"  # who has the old file open goes on reading it
    assert seen == [(tmp_path, "old")]  # in the same folder, so that renaming is atomic
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(aside: Path) -> None:
        aside.write_text("half of the n")
        raise error

    with pytest.raises(error):
        write_whole(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_where_nothing_stood_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "a.txt", lambda aside: None)  # it wrote nothing
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "a.txt", lambda aside: aside.write_text("new"))


def test_the_content_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    events: list[str] = []

    def recorded(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            events.append(name)
            return function(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", recorded("sync", os.fsync))
    monkeypatch.setattr(Path, "replace", recorded("rename", Path.replace))
    write_whole(path, lambda aside: aside.write_text("new"))
    assert events[:2] == ["sync", "rename"]
    assert events[2:] == (["sync"] if os.name == "posix" else [])  # of the folder that holds the name


def test_a_file_may_be_read_by_whom_any_other_file_may(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "a.txt"
    other.touch()

    write_whole(path, lambda aside: aside.touch(0o600))
    assert path.stat().st_mode == other.stat().st_mode


def kinds(folder: Path) -> dict[str, Path]:
    """Things that are no regular files."""
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    return {
        "a named pipe (FIFO)": folder / "pipe",
        "a device": folder / "zero",
        "a folder": folder / "folder",
        "a socket": folder / "socket",
    }


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    for kind, path in kinds(tmp_path).items():
        for opens in (regular, open_regular, read_bytes, read_text, lambda path: open_regular(path, "r+")):
            with pytest.raises(OSError, match=re.escape(f"expected a regular file; got {kind}")) as caught:
                opens(path)
            assert caught.value.filename == str(path)


def test_what_cannot_be_written_is_called_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a.txt", tmp_path / "nowhere" / "a.txt", tmp_path / ("n" * 300)):
        with pytest.raises(OSError, match=re.escape(str(path))) as caught:
            write_whole(path, lambda aside: aside.write_text("new"))
        assert caught.value.filename == str(path)


def test_nothing_waits_for_the_reader_of_a_pipe_that_is_appended_to(tmp_path: Path) -> None:
    for path in kinds(tmp_path).values():
        with pytest.raises(OSError, match="expected a regular file; got"):
            open_regular(path, "a")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_no_file_can_be_called(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="expected the name of a file: "):
        regular(tmp_path / name)


def test_a_regular_file_is_opened_as_usual(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with open_regular(path, "a") as file:
        file.write(b"one\r\n")
    with open_regular(path, "a") as file:
        file.write("zwei ä\n".encode())
    assert regular(path) == path
    assert read_bytes(path) == path.read_bytes()
    assert read_text(path) == "one\r\nzwei ä\n"
    with open_regular(path, "r+") as file:
        file.write(b"ONE")
    assert read_text(path).startswith("ONE\r\n")
    with pytest.raises(UnicodeDecodeError):
        read_text(path, "ascii")
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none")


def test_what_is_appended_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic links|No such file"):
        open_regular(tmp_path / "link", "a")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_is_too_large_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(10**13)
    with pytest.raises(OSError, match="expected at most 1,000 bytes; got 10,000,000,000,000"):
        read_bytes(path, 1000)
    assert len(read_bytes(Path("/proc/self/status"))) > 100  # which says that it has no bytes


def test_folders_are_walked_in_order_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/10.jpg", "a/deep/1.jpg", "a/0.jpg", ".git/x", "c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "dead").symlink_to("nowhere")
    assert [*walk(tmp_path)] == ["a/0.jpg", "a/deep/1.jpg", "b/10.jpg", "b/2.jpg", "c.jpg", "dead"]
    assert ".git/x" in [*walk(tmp_path, hidden=True)]


def test_links_neither_go_round_nor_multiply(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"{i}").mkdir()
        (tmp_path / f"{i}" / "a.jpg").touch()
        for name in ("x", "y"):
            (tmp_path / f"{i}" / name).symlink_to(tmp_path / f"{(i + 1) % 30}")
    (tmp_path / "self").symlink_to("self")
    files = [*walk(tmp_path)]
    assert len(files) == 31
    assert files[0] == "0/a.jpg"
    assert files[-1] == "self"


def test_folders_may_lie_deep(tmp_path: Path) -> None:
    folder = tmp_path
    (tmp_path / "z.jpg").touch()
    for _ in range(1200):
        folder /= "d"
        folder.mkdir()
    assert [*walk(tmp_path)] == ["z.jpg"]
    os.removedirs(folder)  # which pytest would do one function call a folder


def test_a_device_takes_what_is_written_and_stays_one(tmp_path: Path) -> None:
    before = Path(os.devnull).stat()
    write_whole(Path(os.devnull), lambda aside: aside.write_text("new"))
    after = Path(os.devnull).stat()
    assert (after.st_ino, after.st_mode, after.st_rdev) == (before.st_ino, before.st_mode, before.st_rdev)
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    write_whole(link, lambda aside: aside.write_text("new"))
    assert link.is_symlink()


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link, target = tmp_path / "link", tmp_path / "far" / "a.txt"
    link.symlink_to("second")
    (tmp_path / "second").symlink_to(target)
    for content in ("new", "newer"):  # at first it leads nowhere
        write_whole(link, functools.partial(Path.write_text, data=content))
        assert link.is_symlink()
        assert (target.is_symlink(), target.read_text()) == (False, content)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.txt", "far", "link", "second"]


def test_what_a_link_leads_to_stands_until_the_new_content_is_whole(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "a.txt"
    target.write_text("old")
    link.symlink_to(target)

    def write(aside: Path) -> None:
        aside.write_text("half of the n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(link, write)
    assert (link.is_symlink(), target.read_text()) == (True, "old")
    assert sorted(tmp_path.iterdir()) == [target, link]


def test_links_that_no_file_can_be_written_by(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=re.escape(f"'{tmp_path / 'loop'}'")):
        write_whole(tmp_path / "loop", lambda aside: aside.write_text("new"))
    (tmp_path / "nowhere").symlink_to(tmp_path / "none" / "a.txt")
    with pytest.raises(FileNotFoundError, match=re.escape(f"'{tmp_path / 'nowhere'}'")):
        write_whole(tmp_path / "nowhere", lambda aside: aside.write_text("new"))


def test_a_cache_replaces_the_link_itself(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "a.txt"
    target.write_text("old")
    link.symlink_to(target)
    write_whole(link, lambda aside: aside.write_text("new"), links=False)
    assert (link.is_symlink(), link.read_text(), target.read_text()) == (False, "new", "old")


def test_a_pipe_that_is_read_takes_what_is_written(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device or address"):  # nobody reads it, and nobody waits
        write_whole(pipe, lambda aside: aside.write_text("new"))
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, lambda aside: aside.write_text("new"))
    assert os.read(reader, 10) == b"new"
    os.close(reader)


def test_what_can_take_no_content_is_left_as_it_is(tmp_path: Path) -> None:
    found = kinds(tmp_path)
    for kind in ("a folder", "a socket"):
        with pytest.raises(OSError, match=f"expected a regular file; got {kind}"):
            write_whole(found[kind], lambda aside: aside.write_text("new"))


def test_standard_output_can_be_written_to() -> None:
    code = "from striate.files import *\nwrite_whole(Path('/dev/stdout'), lambda aside: aside.write_text('new'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"new"
    assert Path("/dev/stdout").is_symlink()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ä, 日本 and 🐈", "plain, with ä, 日本 and 🐈"),
        ("\x1b[2J\x07\x9b", "\\x1b[2J\\x07\\x9b"),
        ("one\ntwo\r\n\u2028three", "one\\ntwo\\r\\n\\u2028three"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
        ("\ud800", "\\ud800"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("a\\b", "a\\b"),
        ("", ""),
    ],
)
def test_text_from_outside_is_fit_to_print(text: str, shown: str) -> None:
    assert fit_to_print(text) == shown


@given(text=st.text(st.characters()), limit=st.integers(40, 600))
def test_what_is_fit_to_print_is_short_and_can_be_encoded(text: str, limit: int) -> None:
    shown = fit_to_print(text * 50, limit)
    assert len(shown) <= limit
    assert "\n" not in shown
    assert "\x1b" not in shown
    shown.encode()


def test_a_long_text_keeps_both_ends_and_says_how_much_is_left_out() -> None:
    shown = fit_to_print("begins " + "x" * 17_000_000 + " ends")
    assert len(shown) <= 500
    assert shown.startswith("begins xxx")
    assert shown.endswith("xxx ends")
    assert re.search(r"… \(16,999,\d\d\d more characters\) …", shown)


def test_lists_of_names_from_outside() -> None:
    assert list_names([]) == ""
    assert list_names(["ant"]) == "ant"
    assert list_names(["ant", "b\n"]) == "ant and b\\n"
    assert list_names(map(str, range(200_000))) == "0, 1, 2, 3, 4, 5, 6, 7 and 199,992 more"
    assert len(list_names(["x" * 10**6] * 20)) < 8 * 90


def test_numbers_that_are_not_finite_are_null_in_json_at_any_depth() -> None:
    text = json_text({"a": [1.5, math.nan, {"b": (math.inf, -math.inf)}], "c": "NaN"}, indent=1)
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [1.5, None, {"b": [None, None]}], "c": "NaN"}


def test_bytes_for_people() -> None:
    assert [format_bytes(n) for n in (12, 1500, 4_000_000, 2_560_000_000)] == [
        "12 bytes",
        "1.5 kB",
        "4.0 MB",
        "2.6 GB",
    ]
