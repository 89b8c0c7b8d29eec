"""How fast images reach a network here."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.augment.presets import written_out
from striate.data import (
    MEAN_STD,
    Images,
    IndexedImages,
    Loader,
    Preprocessing,
    Rows,
    UnreadableError,
    batches,
    read,
    training_view,
)
from striate.data.pixel_cache import CachedImages
from striate.data.pixel_file import Kept, PixelFile, write
from striate.data.pixel_policy import Policy
from striate.errors import DataError
from striate.machine.timing import Rate, Work, rates
from striate.processors import cores
from striate.recipe import AugmentRecipe
from striate.recipe.size import height_and_width

SIZES = {"640x480": ((640, 480), 64), "12 megapixels": ((4000, 3000), 8)}  # width and height, and how many
MOST = 64  # how many of a user's images are read
SHARE = 16  # the fewest images for each worker in a pass: two of the parts that the loader hands out
NOISE = 4.0  # of 255, as from a sensor: smooth images would be too easy to decode
JPEG_QUALITY = 90

Loading = dict[str, dict[str, dict[int, Rate]]]  # images a second by kind of image, `files` or `cache`, and workers


def loading(data: Path | None, batch_size: int, img_size: int | str, rounds: int, least_s: float) -> Loading:
    """Images a second, augmented as by default, decoded from their files and read from a pixel cache.

    The pixel cache is one of its own, which is gone afterwards.

    Args:
        data: images to read; made from two photos that scikit-learn brings unless given.
        batch_size: images in a step.
        img_size: of the images that a network sees: 224, or "224x320", height first.
        rounds: see `rates`.
        least_s: see `rates`.

    Raises:
        DataError: `data` holds no usable image.
    """
    with _made() if data is None else nullcontext({data.resolve().name: data}) as sources:
        return {name: _of_kind(source, batch_size, img_size, rounds, least_s) for name, source in sources.items()}


def worker_counts(most: int) -> list[int]:
    """1, 2, 4, ... and `most`."""
    return sorted({2**power for power in range(most.bit_length())} | {most})


def _of_kind(
    data: Path, batch_size: int, img_size: int | str, rounds: int, least_s: float
) -> dict[str, dict[int, Rate]]:
    index = read(data)
    images = IndexedImages(index)
    preprocessing = Preprocessing((3, *height_and_width(img_size)), *MEAN_STD[3])
    usable = np.flatnonzero(index.usable())
    policy = Policy(2 * max(height_and_width(img_size)), preprocessing.channels, "raw")  # as `--pixel-cache on` has it
    kept = _kept(images, usable[:: max(len(usable) // MOST, 1)][:MOST], policy)
    if not kept:
        raise DataError(f"{data}: expected at least one usable image; got none.")
    rows = np.array(list(kept))
    with tempfile.TemporaryDirectory() as folder:
        cached = _cached(images, kept, policy, Path(folder) / "bench.pixels")
        sources: dict[str, Images] = {"files": images, "cache": cached}
        works = {
            f"{name} {workers}": _pass(source, rows, batch_size, preprocessing, workers)
            for name, source in sources.items()
            for workers in worker_counts(cores())
        }
        found = rates(works, rounds, least_s)
    return {name: {workers: found[f"{name} {workers}"] for workers in worker_counts(cores())} for name in sources}


def _pass(source: Images, rows: Rows, batch_size: int, preprocessing: Preprocessing, workers: int) -> Work:
    shown = np.resize(rows, max(len(rows), SHARE * workers))  # repeated where there are few
    view = training_view(written_out(AugmentRecipe()), preprocessing, seed=0, epoch=0)
    loader = Loader(source, batches(shown, batch_size), preprocessing, view, workers=workers)
    return lambda: sum(len(batch.rows) for batch in loader)


def _kept(images: IndexedImages, rows: Rows, policy: Policy) -> dict[int, Kept]:
    """What a pixel cache would keep of the images, without those that cannot be read."""
    kept = {}
    for row in rows.tolist():
        with suppress(UnreadableError):
            image = images.open(row)
            kept[row] = Kept(image.size, policy.encode(image))
    return kept


def _cached(images: IndexedImages, kept: dict[int, Kept], policy: Policy, path: Path) -> CachedImages:
    """The images in a new pixel cache at `path`."""
    digests = {row: row.to_bytes(16) for row in kept}  # what the files hold is of no interest here
    write(path, ((digests[row], kept[row]) for row in kept), digests.values)
    return CachedImages(images, policy, path, print, digests, PixelFile(path))


@contextmanager
def _made() -> Iterator[dict[str, Path]]:
    """Folders of JPEG files, by the size of their images, for the duration of a context."""
    from sklearn.datasets import load_sample_images

    photos = load_sample_images().images
    with tempfile.TemporaryDirectory() as top:
        for name, (size, count) in SIZES.items():
            folder = Path(top) / name / "photos"
            folder.mkdir(parents=True)
            for which, photo in enumerate(photos):
                noisy = _enlarged(photo, size)
                for number in range(count // len(photos)):
                    turned = np.roll(noisy, number * size[0] // count, axis=1)  # no two files hold the same
                    Image.fromarray(turned).save(folder / f"{which}-{number}.jpg", quality=JPEG_QUALITY)
        yield {name: Path(top) / name for name in SIZES}


def _enlarged(photo: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A photo (H, W, 3) brought to `size`, its width and height, with noise."""
    large = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC), np.float32)
    large = large + NOISE * np.random.default_rng(0).standard_normal(large.shape, np.float32)
    return large.clip(0, 255).astype(np.uint8)
