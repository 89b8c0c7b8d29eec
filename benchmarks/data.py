"""JPEG files to training batches: striate's loader, without and with its pixel cache, beside the loaders of its peers.

usage: python benchmarks/data.py [ROUNDS] [PHOTOS_OF_640x480] [PHOTOS_OF_12_MEGAPIXELS]

Every contender makes the same batches: a random resized crop of 224 pixels (8 to 100 % of the area), mirrored half the
time, turned by up to 15 degrees, brightness, contrast and saturation changed by up to 20 %, normalised floats on the
device, 64 a batch, by as many workers as there are cores. The peers are written as their guides write them, and left
out with a word where they are not installed. The files are real photos brought to 640x480 and 4000x3000 pixels, with
noise like a sensor's, because enlarging alone makes files that are too easy to decode.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from _timing import Work, race, ratio
from striate.data import Images, IndexedImages, Loader, Order, Preprocessing, read, training_view
from striate.data.pixel_cache import open_images
from striate.data.preprocessing import MEAN_STD
from striate.device import choose, keep_memory
from striate.processors import cores
from striate.recipe import AugmentRecipe, DataRecipe

IMG_SIZE, BATCH = 224, 64
CROP_SCALE, DEGREES, JITTER = (0.08, 1.0), 15.0, 0.2
SIZES = {"640x480": (640, 480), "12 megapixels": (4000, 3000)}
QUALITY, NOISE = 90, 4.0
PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "hymenoptera"
AUGMENT = AugmentRecipe(crop_scale=CROP_SCALE, rotation=DEGREES, brightness=JITTER, contrast=JITTER, saturation=JITTER)


def write_photos(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """Writes `count` JPEG files of `size` in two class folders."""
    rng = np.random.default_rng(0)
    sources = sorted(PHOTOS.rglob("*.jpg"))
    paths = []
    for number in range(count):
        photo = Image.open(sources[number % len(sources)]).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        noisy = np.asarray(photo, np.float32) + rng.normal(0, NOISE, (size[1], size[0], 3)).astype(np.float32)
        path = folder / str(number % 2) / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)
        paths.append(path)
    return paths


def striate_works(folder: Path) -> dict[str, Work]:
    """Our loader, without the pixel cache and from it (built before the clock starts)."""
    index = read(folder)
    rows = np.flatnonzero(index.usable())
    preprocessing = Preprocessing((3, IMG_SIZE, IMG_SIZE), *MEAN_STD[3])
    machine = choose("cpu")
    epochs: Iterator[int] = iter(range(1_000_000))

    def work(images: Images) -> Callable[[], int]:
        def once() -> int:
            epoch = next(epochs)
            view = training_view(AUGMENT, preprocessing, 0, epoch)
            loader = Loader(images, Order(rows, 0, epoch, BATCH), preprocessing, view, workers=cores())
            count = 0
            for batch in loader:
                count += len(machine.images(preprocessing.normalise(batch.images, batch.colour)))
            return count

        return once

    recipe = DataRecipe(pixel_cache="on")
    cached = open_images(
        index, rows, recipe, img_size=IMG_SIZE, channels=3, epochs=2, workers=cores(), say=lambda text: None
    )
    return {"striate": work(IndexedImages(index)), "striate, from its pixel cache": work(cached)}


class Photos(Dataset[Any]):
    """Files, decoded and changed by a peer's functions; the label is 0."""

    def __init__(self, paths: list[Path], decode: Callable[[Path], Any], transform: Callable[[Any], Any]) -> None:
        self.paths, self.decode, self.transform = paths, decode, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        return self.transform(self.decode(self.paths[i])), 0


def with_pillow(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def batches_of(photos: Photos) -> Work:
    """A torch DataLoader of worker processes that stay between epochs."""
    loader = DataLoader(photos, BATCH, shuffle=True, num_workers=cores(), persistent_workers=True)
    return lambda: sum(len(images) for images, _ in loader)


def timm_work(paths: list[Path]) -> Work:
    """timm's own loader, which leaves normalisation to the device; a rotation, which timm has not, is torchvision's."""
    from timm.data import create_loader
    from torchvision import transforms

    photos = Photos(paths, with_pillow, lambda image: image)
    loader = create_loader(
        photos,
        (3, IMG_SIZE, IMG_SIZE),
        BATCH,
        is_training=True,
        scale=CROP_SCALE,
        hflip=0.5,
        color_jitter=JITTER,
        interpolation="bilinear",
        num_workers=cores(),
        device=torch.device("cpu"),
        persistent_workers=True,
    )
    photos.transform.transforms.insert(  # type: ignore[attr-defined]  # create_loader has put its own there
        2, transforms.RandomRotation(DEGREES, transforms.InterpolationMode.BILINEAR)
    )
    return lambda: sum(len(images) for images, _ in loader)


def torchvision_work(paths: list[Path]) -> Work:
    from torchvision.transforms import InterpolationMode, v2

    transform = v2.Compose(
        [
            v2.ToImage(),
            v2.RandomResizedCrop(IMG_SIZE, scale=CROP_SCALE, antialias=True),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomRotation(DEGREES, InterpolationMode.BILINEAR),
            v2.ColorJitter(JITTER, JITTER, JITTER),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(*MEAN_STD[3]),
        ]
    )
    return batches_of(Photos(paths, with_pillow, transform))


def albumentations_work(paths: list[Path]) -> Work:
    import albumentations as album
    import cv2

    def decode(path: Path) -> Any:
        return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]

    changes = album.Compose(
        [
            album.RandomResizedCrop((IMG_SIZE, IMG_SIZE), scale=CROP_SCALE),
            album.HorizontalFlip(p=0.5),
            album.Rotate(DEGREES, p=1.0),
            album.ColorJitter(JITTER, JITTER, JITTER, 0, p=1.0),
            album.Normalize(*MEAN_STD[3]),
            album.ToTensorV2(),
        ]
    )
    return batches_of(Photos(paths, decode, lambda pixels: changes(image=pixels)["image"]))


def ffcv_work(paths: list[Path], **written: Any) -> Work:
    """FFCV's loader over its own file, written before the clock starts; FFCV has no rotation."""
    from ffcv import transforms
    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.rgb_image import RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader as FfcvLoader
    from ffcv.loader import OrderOption
    from ffcv.writer import DatasetWriter

    file = paths[0].parents[1] / f"{written['write_mode']}.beton"
    fields = {"image": RGBImageField(jpeg_quality=QUALITY, **written), "label": IntField()}
    DatasetWriter(str(file), fields, num_workers=cores()).from_indexed_dataset(Photos(paths, with_pillow, lambda x: x))
    mean, std = (np.array(values) * 255 for values in MEAN_STD[3])
    steps = [
        RandomResizedCropRGBImageDecoder((IMG_SIZE, IMG_SIZE), scale=CROP_SCALE),
        transforms.RandomHorizontalFlip(),
        transforms.RandomBrightness(JITTER),
        transforms.RandomContrast(JITTER),
        transforms.RandomSaturation(JITTER),
        transforms.NormalizeImage(mean, std, np.float32),
        transforms.ToTensor(),
        transforms.ToTorchImage(),
    ]
    pipelines = {"image": steps, "label": None}
    loader = FfcvLoader(str(file), BATCH, cores(), order=OrderOption.RANDOM, drop_last=False, pipelines=pipelines)
    return lambda: sum(len(images) for (images,) in loader)


PEERS: dict[str, tuple[str, Callable[[list[Path]], Work]]] = {
    "timm": ("timm", timm_work),
    "torchvision v2": ("torchvision", torchvision_work),
    "albumentations": ("albumentations", albumentations_work),
    "FFCV, from JPEG in its file": ("ffcv", partial(ffcv_work, write_mode="jpg")),
    "FFCV, from its file, side <= 448": ("ffcv", partial(ffcv_work, write_mode="raw", max_resolution=2 * IMG_SIZE)),
}


def measure(name: str, count: int, rounds: int) -> None:
    """Prints one table: images a second and core, and how many times faster striate is."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STRIATE_CACHE"] = f"{folder}-cache"
        paths = write_photos(Path(folder), SIZES[name], count)
        size = sum(path.stat().st_size for path in paths) / count
        works = striate_works(Path(folder))
        for peer, (package, work) in PEERS.items():
            if find_spec(package) is None:
                print(f"{peer}: skipped, because {package} is not installed")
            else:
                works[peer] = work(paths)
        rates = race(works, rounds)
        shutil.rmtree(os.environ["STRIATE_CACHE"])
    print(f"\n{count} JPEG files of {name}, {size / 1e3:.0f} kB each, {cores()} cores, medians of {rounds} rounds")
    print(f"{'':32}{'per second':>12}{'and core':>10}{'striate is':>12}{'cached':>10}")
    for contender, values in rates.items():
        both = (ratio(rates, ours, contender) for ours in list(works)[:2])
        times = "".join(f"{f'{value:.2f}x':>{width}}" for value, width in zip(both, (12, 10), strict=True))
        print(f"{contender:32}{median(values):12.0f}{median(values) / cores():10.0f}{times}")


def main() -> None:
    if not PHOTOS.exists():
        print(f"data: skipped, because {PHOTOS} is not there")
        return
    keep_memory()  # as `striate train` does; the peers' processes inherit it
    rounds, small, large = (*map(int, sys.argv[1:]), *(5, 512, 128)[len(sys.argv) - 1 :])
    measure("640x480", small, rounds)
    measure("12 megapixels", large, rounds)


if __name__ == "__main__":
    main()
