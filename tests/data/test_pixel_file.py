import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data.pixel_file import (
    LEFT_BEHIND_S,
    MARK,
    TRAILER,
    UNREADABLE,
    BrokenError,
    Kept,
    PixelFile,
    tidy,
    write,
)


def digest(number: int) -> bytes:
    return number.to_bytes(16, "little")  # its last bytes are 0, which a string of NumPy would lose


IMAGES = {
    digest(1): Kept((3, 2), bytes(range(18))),
    digest(2): UNREADABLE,
    digest(3): Kept((70_000, 1), b""),
    digest(256): Kept((1, 1), b"last"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "1.pixels"
    write(file, IMAGES.items(), lambda: IMAGES)
    return file


def found(file: PixelFile) -> dict[bytes, Kept]:
    kept = {of: file.get(of) for of in file.places}
    return {of: Kept(each.size, None if each.data is None else bytes(each.data)) for of, each in kept.items() if each}


def test_what_was_written_is_found(path: Path) -> None:
    file = PixelFile(path)
    assert found(file) == IMAGES
    assert file.get(digest(4)) is None
    kept = file.get(digest(1))
    assert kept is not None
    assert [type(side) for side in kept.size] == [int, int]


def test_a_file_of_no_images_is_whole(path: Path) -> None:
    write(path, [], lambda: ())
    assert found(PixelFile(path)) == {}


def test_what_is_not_confirmed_is_not_entered(path: Path) -> None:
    write(path, IMAGES.items(), lambda: [digest(2), digest(256)])
    assert found(PixelFile(path)) == {of: IMAGES[of] for of in (digest(2), digest(256))}


def test_it_is_confirmed_after_the_last_image(path: Path) -> None:
    left = iter(IMAGES.items())
    write(path, left, lambda: IMAGES if next(left, None) is None else ())
    assert found(PixelFile(path)) == IMAGES


@given(st.data())
def test_no_cut_and_no_flipped_bit_is_overlooked(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.pixels"
    write(path, IMAGES.items(), lambda: IMAGES)
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
        damaged = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
    path.write_bytes(damaged)
    with pytest.raises(BrokenError):
        found(PixelFile(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is too short"),
        (b"0" * 100, "its end is not that of a cache"),
        (TRAILER.pack(MARK, -8, 0, 0), "its end is not that of a cache"),
        (TRAILER.pack(MARK, 0, 1 << 60, zlib.crc32(b"")), "its end is not that of a cache"),
        (TRAILER.pack(MARK, 0, 0, 1), "its table of contents is damaged"),
    ],
)
def test_what_is_wrong_is_said(content: bytes, reason: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(BrokenError, match=f"^{reason}$"):
        PixelFile(path)


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="expected a file; got a link"):
        PixelFile(path)


def test_a_damaged_image_leaves_the_others_to_be_read(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    file = PixelFile(path)
    for _ in range(2):  # it is damaged each time that it is asked for
        with pytest.raises(BrokenError, match=r"^an image in it is damaged$"):
            file.get(digest(1))
    assert file.get(digest(2)) == UNREADABLE
    kept = file.get(digest(256))
    assert kept is not None
    assert kept.data == b"last"


def test_an_image_is_checked_when_it_is_first_asked_for_and_not_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, checked = PixelFile(path), []

    def crc32(data: memoryview) -> int:
        checked.append(bytes(data))
        return original(data)

    original = zlib.crc32
    monkeypatch.setattr(zlib, "crc32", crc32)
    for _ in range(2):
        file.get(digest(256))
    assert checked == [b"last"]


def test_what_a_killed_process_left_is_removed_and_what_another_is_writing_is_not(path: Path) -> None:
    now = path.stat().st_mtime
    old, new = (path.with_name(f".{path.name}.{number}") for number in (1, 2))
    other = path.with_name(".other.txt.1")
    for file, age in ((old, LEFT_BEHIND_S + 60), (new, LEFT_BEHIND_S - 60), (other, 2 * LEFT_BEHIND_S)):
        file.write_bytes(b"half of it")
        os.utime(file, (now - age, now - age))
    tidy(path, 1e9)
    assert sorted(path.parent.iterdir()) == sorted([path, new, other])


def test_the_files_that_were_used_longest_ago_are_removed_beyond_the_budget(path: Path) -> None:
    size, now = path.stat().st_size, path.stat().st_mtime
    others = [path.with_name(f"{number}.pixels") for number in (2, 3, 4)]
    for age, file in enumerate(others, 1):
        file.write_bytes(b"0" * size)
        os.utime(file, (now - age, now - age))
    os.utime(path, (now - 99, now - 99))  # but it is in use now
    for budget, left in ((4, 4), (3.5, 3), (1.5, 1), (0.5, 1)):
        tidy(path, budget * size)
        assert sorted(path.parent.iterdir()) == [path, *others][:left]
    assert abs(path.stat().st_mtime - now) < 60


def test_to_tidy_where_nothing_is_does_nothing(tmp_path: Path) -> None:
    tidy(tmp_path / "not there" / "1.pixels", 1.0)
    tidy(tmp_path / "1.pixels", 1.0)
    assert list(tmp_path.iterdir()) == []
