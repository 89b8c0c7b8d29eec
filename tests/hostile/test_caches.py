"""Files of caches that were cut, changed, emptied or replaced: what they held is computed anew, to the same bits."""

import gzip
import io
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.cli.app import main

SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "cut at its end": lambda content: content[:-1],
    "changed at its beginning": lambda content: bytes([content[0] ^ 255]) + content[1:] if content else b"?",
    "changed in its middle": lambda content: (
        content[: len(content) // 2]
        + bytes([(content[len(content) // 2] if content else 0) ^ 1])
        + content[len(content) // 2 + 1 :]
    ),
    "empty": lambda content: b"",
    "of NumPy": lambda content: b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'shape': (10000000000,), }",
    "of zeros": lambda content: bytes(len(content)),
}


def write_folder(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in "ab":
        (root / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.jpg")
    return root


def write_idx(root: Path) -> Path:
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)
    with gzip.open(root / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, *pixels.shape) + pixels.tobytes())
    with gzip.open(root / "train-labels-idx1-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4BI", 0, 0, 8, 1, 8) + bytes([0, 1] * 4))
    return root


def write_zip(root: Path) -> Path:
    folder = write_folder(root / "set")
    return Path(shutil.make_archive(str(root / "packed"), "zip", folder))


def write_npz(root: Path) -> Path:
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)
    np.savez(root / "set.npz", x_train=pixels, y_train=np.array([0, 1] * 4))
    return root / "set.npz"


SETS = {"folder": write_folder, "idx": write_idx, "zip": write_zip, "npz": write_npz}


def checked(data: Path, capfd: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """What `striate check` says of data."""
    with pytest.raises(SystemExit) as left:
        main(["check", str(data)])
    return left.value.code, capfd.readouterr().out


@pytest.fixture(params=SETS)
def seen(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> tuple[Path, tuple[object, str]]:
    """Data of each kind, and what a check said of them that filled the cache, in `cache` beside them."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    data = SETS[request.param](tmp_path / "data")
    return data, checked(data, capfd)


@pytest.mark.parametrize("how", SPOILED)
def test_a_check_says_the_same_whatever_became_of_its_caches(
    seen: tuple[Path, tuple[object, str]], tmp_path: Path, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    data, first = seen
    assert first[0] == 0
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        path.write_bytes(SPOILED[how](path.read_bytes()))
    assert checked(data, capfd) == first
    assert checked(data, capfd) == first


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_in_a_cache_holds_nobody(
    seen: tuple[Path, tuple[object, str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, first = seen
    for path in [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]:
        path.unlink()
        os.mkfifo(path)
    assert checked(data, capfd) == first


def lead_elsewhere(path: Path, target: Path) -> None:
    """Puts a link in the place of a file of a cache, to the same content somewhere else."""
    path.rename(target)
    path.symlink_to(target)


def test_a_link_in_a_cache_is_not_followed(
    seen: tuple[Path, tuple[object, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data, first = seen
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix not in (".jpg", ".png")]
    (tmp_path / "elsewhere").mkdir()
    for number, path in enumerate(kept):
        lead_elsewhere(path, tmp_path / "elsewhere" / str(number))
    before = [path.read_bytes() for path in sorted((tmp_path / "elsewhere").iterdir())]
    opened: list[str] = []
    monkeypatch.setattr(os, "open", watched(os.open, opened))
    assert checked(data, capfd) == first
    assert not [path for path in opened if os.path.realpath(path).startswith(str(tmp_path / "elsewhere"))]
    assert [path.read_bytes() for path in sorted((tmp_path / "elsewhere").iterdir())] == before
    assert not [path for path in kept if path.is_symlink()]


def watched(call: Callable[..., int], opened: list[str]) -> Callable[..., int]:
    """The same call, which notes what it has opened."""

    def watch(path: str, *arguments: object, **named: object) -> int:
        file = call(path, *arguments, **named)
        opened.append(os.readlink(f"/proc/self/fd/{file}") if os.path.isdir("/proc/self/fd") else os.fspath(path))  # noqa: PTH112, PTH115
        return file

    return watch


def test_a_link_in_the_place_of_an_unpacked_archive_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    data = write_zip(tmp_path / "data")
    first = checked(data, capfd)
    [folder] = (tmp_path / "cache" / "archives").glob("*/packed")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert checked(data, capfd) == first
    assert not folder.is_symlink()
    assert (tmp_path / "elsewhere/a/0.jpg").is_file()


def test_a_folder_in_the_place_of_a_file_of_a_cache_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    data = write_idx(tmp_path / "data")
    first = checked(data, capfd)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    for path in kept:
        path.unlink()
        (path / "within").mkdir(parents=True)
    assert checked(data, capfd) == first
    assert all(path.is_file() for path in kept)


def test_a_zip_file_that_was_damaged_is_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/0.txt", "x" * 10_000)
    damaged = bytearray(content.getvalue())
    damaged[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "set.zip").write_bytes(damaged)
    with pytest.raises(SystemExit) as left:
        main(["check", str(tmp_path / "set.zip")])
    assert left.value.code == 3
    assert "expected an archive that can be unpacked" in capfd.readouterr().err
