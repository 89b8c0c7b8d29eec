import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from striate.bench import loading
from striate.bench.loading import _cached, _kept, _made, worker_counts
from striate.bench.timing import Work
from striate.data import IndexedImages, read
from striate.data.pixel_cache import CachedImages
from striate.data.pixel_policy import CachedImage, Policy
from striate.errors import DataError

WritePictures = Callable[[Path, Mapping[str, int]], Path]


@pytest.mark.parametrize(("most", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])])
def test_numbers_of_workers(most: int, counts: list[int]) -> None:
    assert worker_counts(most) == counts


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Pictures of each pass that is measured, which is done once."""
    done: dict[str, int] = {}

    def rates(works: dict[str, Work], rounds: int, least_s: float) -> dict[str, float]:
        done.update({name: int(work()) for name, work in works.items()})
        return dict.fromkeys(works, 1.0)

    monkeypatch.setattr(loading, "rates", rates)
    monkeypatch.setattr(loading, "cores", lambda: 4)
    return done


def test_no_worker_is_without_pictures(passes: dict[str, int], two_classes: Path) -> None:
    usable = int(read(two_classes).usable().sum())
    found = loading.loading(two_classes, 4, 32, 2, 0.0)
    assert list(found) == [two_classes.name]
    share = {workers: max(usable, 16 * workers) for workers in (1, 2, 4)}
    assert passes == {f"{name} {workers}": share[workers] for name in ("files", "cache") for workers in share}


def test_a_few_of_many_pictures_are_read(
    passes: dict[str, int], write_pictures: WritePictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MOST", 10)
    monkeypatch.setattr(loading, "SHARE", 1)
    loading.loading(write_pictures(tmp_path, {"a": 15, "b": 10}), 4, 32, 2, 0.0)
    assert set(passes.values()) == {10}


def test_photos_are_made_where_none_are_given(passes: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "SIZES", {"64x48": ((64, 48), 4), "80x60": ((80, 60), 2)})
    assert list(loading.loading(None, 4, 32, 2, 0.0)) == ["64x48", "80x60"]
    with _made() as folders:
        files = [path.read_bytes() for path in folders["64x48"].rglob("*.jpg")]
        assert len(files) == len(set(files)) == 4
        assert read(folders["80x60"]).usable().sum() == 2
    assert not folders["64x48"].exists()


def test_the_cache_gives_what_the_pixel_cache_gives(two_classes: Path, tmp_path: Path) -> None:
    index = read(two_classes)
    pictures, policy = IndexedImages(index), Policy(16, 3, "raw")
    kept = _kept(pictures, np.flatnonzero(index.usable())[:3], policy)
    cached = _cached(pictures, kept, policy, tmp_path / "bench.pixels")
    assert {row: bytes(cached.open(row).data) for row in kept} == {
        row: policy.encode(pictures.open(row)) for row in kept
    }
    assert cached.file is not None
    assert len(cached.file.places) == 3  # they come out of the file, not from the pictures


def test_every_pass_reads_from_its_own_source(
    passes: dict[str, int], two_classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    of_cache = CachedImages.open

    def counted(pictures: CachedImages, row: int) -> CachedImage:
        opened.append(row)
        return of_cache(pictures, row)

    monkeypatch.setattr(CachedImages, "open", counted)
    loading.loading(two_classes, 4, 32, 2, 0.0)
    assert len(opened) == sum(pictures for name, pictures in passes.items() if name.startswith("cache"))


def test_the_pixel_cache_of_the_user_stays_as_it_is(passes: dict[str, int], two_classes: Path) -> None:
    loading.loading(two_classes, 4, 32, 2, 0.0)
    assert not list((Path(os.environ["STRIATE_CACHE"]) / "pixels").glob("*"))


def test_a_picture_that_cannot_be_read_is_left_out(
    passes: dict[str, int], write_pictures: WritePictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SHARE", 1)
    root = write_pictures(tmp_path, {"a": 4, "b": 3})
    (root / "a" / "00.png").write_bytes(b"no picture")
    loading.loading(root, 4, 32, 2, 0.0)
    assert set(passes.values()) == {6}


def test_data_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").touch()
    (tmp_path / "index.csv").write_text("path,label\n../1.png,a\n")
    with pytest.raises(DataError, match="expected at least one usable picture; got none"):
        loading.loading(tmp_path / "index.csv", 4, 32, 2, 0.0)
