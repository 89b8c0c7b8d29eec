import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import files
from striate.augment import Augmentation, Map, Size, draw_map
from striate.data import Index, IndexedImages, OpenedImage, UnreadableError, identity, pixel_cache, read
from striate.data.images import Images
from striate.data.pixel_cache import CachedImages, open_images
from striate.data.pixel_policy import CachedImage, Policy
from striate.recipe import DataRecipe

IMG_SIZE = 16
SIZES = [(100, 80), (64, 200), (33, 47), (20, 20), (256, 128), (90, 90)]


def image(size: Size, seed: int) -> Image.Image:
    """An image whose detail is coarser than a few pixels."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "a"
    folder.mkdir(parents=True)
    for number, size in enumerate(SIZES):
        image(size, number).save(folder / f"{number}.jpg", quality=95)
    image((50, 40), 9).save(folder / "grey.png")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pixels"


@dataclass
class Opened:
    """Images, what was said, and how many images were decoded to make them."""

    images: Images
    index: Index
    said: list[str] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    @property
    def decoded(self) -> int:
        return sum(self.done)

    def pixels(self, augment: Augmentation | None = None, channels: int = 3) -> dict[str, bytes]:
        """What is shown of each image, by name."""
        shown = {}
        for row, path in enumerate(self.index.paths()):
            opened = self.images.open(row)
            map_ = draw_map(augment or Augmentation(), opened.size, (IMG_SIZE, IMG_SIZE), 1.0, 0, 0, row)
            shown[path] = opened.read(map_, (IMG_SIZE, IMG_SIZE), channels).tobytes()
        return shown


def opened(root: Path, channels: int = 3, epochs: int = 2, **recipe: Any) -> Opened:
    index = read(root)
    said: list[str] = []
    done: list[int] = []
    settings = DataRecipe(**({"pixel_cache": "on"} | recipe))
    images = open_images(
        index,
        np.arange(len(index)),
        settings,
        img_size=IMG_SIZE,
        channels=channels,
        epochs=epochs,
        workers=2,
        say=said.append,
        advance=done.append,
    )
    return Opened(images, index, said, done)


def one_file(caches: Path) -> Path:
    (path,) = caches.iterdir()
    return path


TURNED = Augmentation(crop_scale=(0.2, 1.0), rotation=30, mirror=0.5)


@pytest.mark.parametrize(("channels", "budget"), [(1, 8.0), (3, 8.0), (1, 10e-6), (3, 20e-6)])
def test_what_is_shown_is_the_same_just_made_read_again_and_not_kept(
    root: Path, channels: int, budget: float, caches: Path
) -> None:
    first = opened(root, channels, cache_budget=budget)
    again = opened(root, channels, cache_budget=budget)
    assert first.decoded == len(first.index)
    assert again.decoded == 0
    assert isinstance(first.images, CachedImages)
    assert first.images.policy.encoding == ("raw" if budget == 8 else "jpeg")
    shown = first.pixels(TURNED, channels)
    assert again.pixels(TURNED, channels) == shown
    assert isinstance(again.images, CachedImages)
    again.images.file = None
    assert again.pixels(TURNED, channels) == shown
    assert one_file(caches).stat().st_size <= budget * 1e9 * 1.05


@pytest.mark.parametrize("budget", [8.0, 20e-6], ids=["raw", "jpeg"])
@pytest.mark.parametrize("augment", [Augmentation(), replace(TURNED, crop_scale=(0.7, 1))], ids=["whole", "turned"])
def test_what_is_shown_is_close_to_what_the_file_shows(root: Path, augment: Augmentation, budget: float) -> None:
    kept, given = (opened(root, pixel_cache=mode, cache_budget=budget) for mode in ("on", "off"))
    for name, expected in given.pixels(augment).items():
        shown = np.frombuffer(kept.pixels(augment)[name], np.uint8).astype(int)
        assert np.abs(shown - np.frombuffer(expected, np.uint8)).mean() < 3


def test_an_image_smaller_than_what_is_kept_is_kept_as_it_is(root: Path) -> None:
    kept = opened(root)
    row = kept.index.paths().index("a/3.jpg")
    whole = Map(np.eye(3))
    expected = IndexedImages(kept.index).open(row).read(whole, (20, 20), 3)
    assert np.array_equal(kept.images.open(row).read(whole, (20, 20), 3), expected)


# What is noticed ----------------------------------------------------------------------------------------------------


def changed(root: Path) -> None:
    image((70, 60), 99).save(root / "a" / "0.jpg")


def added(root: Path) -> None:
    image((70, 60), 99).save(root / "a" / "7.jpg")


def removed(root: Path) -> None:
    (root / "a" / "0.jpg").unlink()


def renamed(root: Path) -> None:
    (root / "a" / "0.jpg").rename(root / "a" / "x.jpg")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[OpenedImage]:
    """The images that are decoded to be kept."""
    images: list[OpenedImage] = []
    original = Policy.encode

    def encode(self: Policy, given: OpenedImage) -> bytes:
        images.append(given)
        return original(self, given)

    monkeypatch.setattr(Policy, "encode", encode)
    return images


@pytest.mark.parametrize(("change", "anew"), [(changed, 1), (added, 1), (removed, 0), (renamed, 0)])
def test_a_change_of_the_data_is_noticed_and_only_that_is_decoded(
    change: Callable[[Path], None], anew: int, root: Path, encoded: list[OpenedImage]
) -> None:
    opened(root)
    encoded.clear()
    change(root)
    after = opened(root).pixels()
    assert len(encoded) == anew
    fresh = root.parent / "fresh"
    shutil.copytree(root, fresh)
    assert opened(fresh).pixels() == after


def test_what_changes_between_its_digest_and_its_decoding_is_not_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "a" / "0.jpg"
    before = path.read_bytes()
    original = identity.digests

    def digests(*args: Any, **options: Any) -> list[bytes | None]:
        found = original(*args, **options)
        changed(root)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(pixel_cache, "digests", digests)
        opened(root)
    path.write_bytes(before)
    kept = opened(root)
    row = kept.index.paths().index("a/0.jpg")
    cached = kept.images.open(row)
    assert isinstance(cached, CachedImage)
    assert cached.size == SIZES[0]
    assert bytes(cached.data) == Policy(2 * IMG_SIZE, 3, "raw").encode(IndexedImages(kept.index).open(row))


def test_an_image_beyond_the_limit_of_pixels_is_refused_with_a_cache_as_without(root: Path) -> None:
    opened(root)
    limited = opened(root, max_pixels=100 * 80 // 4 - 1)
    row = limited.index.paths().index("a/0.jpg")
    with pytest.raises(
        UnreadableError, match=r"^100 x 80 pixels are more than the limit of 7,996: .* --max-pixels 2000$"
    ):
        limited.images.open(row)
    assert opened(root).images.open(row).size == (100, 80)


def test_another_release_of_a_decoder_has_its_own_cache(
    root: Path, encoded: list[OpenedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(root)
    encoded.clear()
    monkeypatch.setattr(pixel_cache, "LIBRARIES", ("0.0",))
    opened(root)
    assert len(encoded) == len(SIZES) + 1


def test_two_hundred_changes_of_a_file_and_none_is_served_stale(root: Path) -> None:
    rng = np.random.default_rng(0)
    names = sorted((root / "a").iterdir())
    for number in range(200):
        path = names[rng.integers(len(names))]
        if rng.random() < 0.5:
            image(SIZES[rng.integers(len(SIZES))], 1000 + number).save(path)
        else:
            content = bytearray(path.read_bytes())
            content[rng.integers(len(content) // 2, len(content))] ^= 1 << int(rng.integers(8))
            path.write_bytes(content)
        kept = opened(root)
        row = kept.index.paths().index(f"a/{path.name}")
        try:
            source = IndexedImages(kept.index).open(row)
            expected = Policy(2 * IMG_SIZE, 3, "raw").encode(source)
        except UnreadableError:
            with pytest.raises(UnreadableError):
                kept.images.open(row)
        else:
            cached = kept.images.open(row)
            assert isinstance(cached, CachedImage)
            assert bytes(cached.data) == expected


@pytest.mark.parametrize("bytes_left", [0, 1, 50, 5000, -1, -40])
def test_a_cache_that_was_cut_short_is_made_anew_with_a_sentence(bytes_left: int, root: Path, caches: Path) -> None:
    shown = opened(root).pixels()
    path = one_file(caches)
    path.write_bytes(path.read_bytes()[:bytes_left])
    again = opened(root)
    assert again.decoded == len(again.index)
    assert any(str(path) in line and line.endswith("It is made anew.") for line in again.said)
    assert again.pixels() == shown


def test_flipped_bits_are_found_and_never_shown(root: Path, caches: Path) -> None:
    shown = opened(root).pixels()
    whole = one_file(caches).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        path = one_file(caches)
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        again = opened(root)
        assert again.pixels() == shown
        assert any("damaged" in line or "end is not" in line for line in again.said)
        assert opened(root).pixels() == shown  # and the next run has a whole one


def test_a_damaged_image_costs_its_decoding_and_the_others_nothing(
    root: Path, caches: Path, encoded: list[OpenedImage]
) -> None:
    shown = opened(root).pixels()
    path = one_file(caches)
    damaged = bytearray(path.read_bytes())
    damaged[0] ^= 1
    path.write_bytes(damaged)
    again = opened(root)
    encoded.clear()
    assert [again.pixels() for _ in range(2)] == [shown, shown]
    assert len(encoded) == 2  # one image, twice
    assert again.said[1:] == [
        f"pixel cache: {path}: an image in it is damaged. What is damaged is decoded; the next run makes it anew."
    ]
    assert not path.exists()


def test_unreadable_images_stay_unreadable_and_are_tried_once(root: Path) -> None:
    (root / "a" / "0.jpg").write_bytes(b"no image")
    for decoded in (len(SIZES) + 1, 0):
        kept = opened(root)
        assert kept.decoded == decoded
        with pytest.raises(UnreadableError, match="not an image of a known format"):
            kept.images.open(kept.index.paths().index("a/0.jpg"))


def test_a_full_disk_costs_what_is_new_and_nothing_else(
    root: Path, caches: Path, encoded: list[OpenedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(root)
    added(root)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pixel_cache, "write_whole", full)
        encoded.clear()
        with_the_old = opened(root)
        shown = with_the_old.pixels()
        assert len(encoded) == 1
        shutil.rmtree(caches)
        without = opened(root)
        assert without.pixels() == shown
    for kept in (with_the_old, without):
        sentence = "No space left on device. Images that it has not got are decoded every epoch."
        assert kept.said[-1] == f"pixel cache: {kept.images.path_of_file}: {sentence}"  # type: ignore[attr-defined]
    assert opened(root).pixels() == shown


def test_what_another_process_removes_or_replaces_at_once_stays_in_use(
    root: Path, caches: Path, encoded: list[OpenedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = files.write_whole

    def robbed(path: Path, write: Callable[[Path], object], *, links: bool) -> None:
        original(path, write, links=links)
        path.unlink()

    monkeypatch.setattr(pixel_cache, "write_whole", robbed)
    kept = opened(root)
    encoded.clear()
    kept.pixels()
    assert encoded == []
    assert len(kept.said) == 1
    assert list(caches.iterdir()) == []


CHILD = """
import hashlib, sys
from pathlib import Path
import numpy as np
from striate.data import pixel_cache, read
from striate.recipe import DataRecipe

index = read(Path(sys.argv[1]))
rows = np.arange(len(index))
print("ready", flush=True)
sys.stdin.readline()
images = pixel_cache.open_images(
    index, rows, DataRecipe(pixel_cache="on"), img_size=16, channels=3, epochs=2, workers=2, say=lambda text: None
)
print(hashlib.sha256(b"".join(images.open(row).data for row in rows)).hexdigest())
"""


def test_processes_that_make_it_at_once_do_no_harm(root: Path, caches: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(root)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ, text=True)
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    found = {child.communicate("go\n")[0].strip() for child in children}
    expected = hashlib.sha256()
    for row in range(len(SIZES) + 1):
        expected.update(Policy(2 * IMG_SIZE, 3, "raw").encode(IndexedImages(read(root)).open(row)))
    assert found == {expected.hexdigest()}
    one_file(caches)


# What is decided ----------------------------------------------------------------------------------------------------


def test_nothing_is_kept_where_it_would_not_pay(root: Path, caches: Path) -> None:
    auto = opened(root, pixel_cache="auto")
    assert auto.said[0].startswith("pixel cache: raw, about 42.1 kB: images have ")
    shutil.rmtree(caches)
    for expected, settings in (
        ("off, as asked", {"pixel_cache": "off"}),
        ("off, because each image is read once", {"pixel_cache": "auto", "epochs": 1}),
        ("off, because even JPEG would take about 9.9 kB. Try a larger --cache-budget.", {"cache_budget": 1e-7}),
    ):
        plain = opened(root, **settings)
        assert plain.said == [f"pixel cache: {expected}"]
        assert isinstance(plain.images, IndexedImages)
    for number in range(len(SIZES)):
        image((40, 36), number).save(root / "a" / f"{number}.jpg")
    small = opened(root, pixel_cache="auto")
    assert small.said == [
        "pixel cache: off, because images have 1.3 times the pixels that would be kept: it pays from 4 on"
    ]
    assert not caches.exists()


def test_caches_that_were_used_longest_ago_are_removed_beyond_the_budget(root: Path, caches: Path) -> None:
    opened(root)
    size = one_file(caches).stat().st_size
    other = caches / "other.pixels"
    other.write_bytes(b"0" * size)
    opened(root, cache_budget=2.5 * size / 1e9)
    assert other.exists()
    opened(root, cache_budget=1.5 * size / 1e9)
    assert not other.exists()
    assert len(list(caches.iterdir())) == 1
