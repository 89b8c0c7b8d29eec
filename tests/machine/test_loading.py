import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from striate.data import IndexedImages, read
from striate.data.pixel_cache import CachedImages
from striate.data.pixel_policy import CachedImage, Policy
from striate.errors import DataError
from striate.machine import loading
from striate.machine.loading import _cached, _kept, _made, worker_counts
from striate.machine.timing import Work

WritePictures = Callable[[Path, Mapping[str, int]], Path]


@pytest.mark.parametrize(("most", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])])
def test_numbers_of_workers(most: int, counts: list[int]) -> None:
    assert worker_counts(most) == counts


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Images of each pass that is measured, which is done once."""
    done: dict[str, int] = {}

    def rates(works: dict[str, Work], rounds: int, least_s: float) -> dict[str, float]:
        done.update({name: int(work()) for name, work in works.items()})
        return dict.fromkeys(works, 1.0)

    monkeypatch.setattr(loading, "rates", rates)
    monkeypatch.setattr(loading, "cores", lambda: 4)
    return done


def test_no_worker_is_without_images(passes: dict[str, int], two_classes: Path) -> None:
    usable = int(read(two_classes).usable().sum())
    found = loading.loading(two_classes, 4, 32, 2, 0.0)
    assert list(found) == [two_classes.name]
    share = {workers: max(usable, 16 * workers) for workers in (1, 2, 4)}
    assert passes == {f"{name} {workers}": share[workers] for name in ("files", "cache") for workers in share}


def test_a_few_of_many_images_are_read(
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
    images, policy = IndexedImages(index), Policy(16, 3, "raw")
    kept = _kept(images, np.flatnonzero(index.usable())[:3], policy)
    cached = _cached(images, kept, policy, tmp_path / "bench.pixels")
    assert {row: bytes(cached.open(row).data) for row in kept} == {row: policy.encode(images.open(row)) for row in kept}
    assert cached.file is not None
    assert len(cached.file.places) == 3  # they come out of the file, not from the images


def test_every_pass_reads_from_its_own_source(
    passes: dict[str, int], two_classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    of_cache = CachedImages.open

    def counted(images: CachedImages, row: int) -> CachedImage:
        opened.append(row)
        return of_cache(images, row)

    monkeypatch.setattr(CachedImages, "open", counted)
    loading.loading(two_classes, 4, 32, 2, 0.0)
    assert len(opened) == sum(images for name, images in passes.items() if name.startswith("cache"))


def test_the_pixel_cache_of_the_user_stays_as_it_is(passes: dict[str, int], two_classes: Path) -> None:
    loading.loading(two_classes, 4, 32, 2, 0.0)
    assert not list((Path(os.environ["STRIATE_CACHE"]) / "pixels").glob("*"))


def test_a_image_that_cannot_be_read_is_left_out(
    passes: dict[str, int], write_pictures: WritePictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SHARE", 1)
    root = write_pictures(tmp_path, {"a": 4, "b": 3})
    (root / "a" / "00.png").write_bytes(b"no image")
    loading.loading(root, 4, 32, 2, 0.0)
    assert set(passes.values()) == {6}


def test_data_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").touch()
    (tmp_path / "index.csv").write_text("path,label\n../1.png,a\n")
    with pytest.raises(DataError, match="expected at least one usable image; got none"):
        loading.loading(tmp_path / "index.csv", 4, 32, 2, 0.0)
