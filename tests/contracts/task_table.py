"""One row a task: data that it learns from, and a network that answers it, both small."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from striate.data import Index, build

CLASSES = ("dark", "light")
IMAGES = 12


@dataclass(frozen=True)
class Row:
    """What the tests of this folder hold each task to."""

    name: str
    make: Callable[[Path], Index]
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys of the recipe."""


def pixels(number: int) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], tuple[int, int, int, int]]:
    """Noise with a dark or a light rectangle, and its box; images differ in size."""
    rng = np.random.default_rng(number)
    width, height = 36 + 3 * (number % 3), 40 - 2 * (number % 4)
    image = rng.normal(110, 12, (height, width))
    x0, y0 = int(rng.integers(0, width // 2)), int(rng.integers(0, height // 2))
    x1, y1 = x0 + int(rng.integers(8, width // 2)), y0 + int(rng.integers(8, height // 2))
    image[y0:y1, x0:x1] += 110 if number % 2 else -90
    return image.clip(0, 255).astype(np.uint8), (x0, y0, x1, y1)


def written(folder: Path, count: int = IMAGES) -> list[tuple[str, tuple[int, int, int, int], tuple[int, int]]]:
    """Writes the images; their names, boxes and sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(count):
        image, box = pixels(number)
        Image.fromarray(image).save(folder / f"{number:02d}.png")
        found.append((f"{number:02d}.png", box, (image.shape[1], image.shape[0])))
    return found


def labelled(folder: Path) -> Index:
    """A label an image."""
    images = written(folder)
    return build(folder, CLASSES, [name for name, _, _ in images], label=[i % 2 for i in range(len(images))])


def boxed(folder: Path) -> Index:
    """A label and a box an image."""
    images = written(folder)
    names, boxes = [name for name, _, _ in images], [list(map(float, box)) for _, box, _ in images]
    return build(folder, CLASSES, names, label=[i % 2 for i in range(len(images))], box=boxes)


def masked(folder: Path) -> Index:
    """A mask an image, with a border that counts for nothing around what it shows."""
    images = written(folder)
    for number, (name, (x0, y0, x1, y1), (width, height)) in enumerate(images):
        mask = np.zeros((height, width), np.uint8)
        mask[max(y0 - 1, 0) : y1 + 1, max(x0 - 1, 0) : x1 + 1] = 255
        mask[y0:y1, x0:x1] = 1 + number % 2
        Image.fromarray(mask).save(folder / f"{name}.mask.png")
    return build(
        folder,
        (),
        [name for name, _, _ in images],
        mask=[f"{name}.mask.png" for name, _, _ in images],
        mask_classes=("background", *CLASSES),
        mask_values={0: 0, 1: 1, 2: 2, 255: 255},
    )


ROWS = (
    Row("classify", labelled, "lenet5"),
    Row("locate", boxed, "resnet20_cifar", {"in_channels": 1, "img_size": 32}),
    Row("segment", masked, "resnet20_cifar", {"in_channels": 1, "img_size": 32}),
)
