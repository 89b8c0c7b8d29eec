import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from striate.augment import Map, Size, crop
from striate.data import IndexedImages, OpenedImage, build, pixel_policy
from striate.data.pixel_policy import SAMPLE, Policy, choose
from striate.recipe import DataRecipe


@pytest.mark.parametrize("size", [(100, 80), (33, 47), (7, 300), (1, 1), (4000, 3000)])
def test_the_pyramid_halves_down_to_half_of_what_the_network_sees(size: Size) -> None:
    policy = Policy(32, 3, "raw")
    sizes = policy.pyramid(size)
    assert min(sizes[0]) == min(32, *size)
    assert sizes[0][0] / sizes[0][1] == pytest.approx(size[0] / size[1], rel=0.05)
    for (width, height), smaller in itertools.pairwise(sizes):
        assert smaller == (width // 2, height // 2)
    assert min(sizes[-1]) < 16 or sizes[-1] == (1, 1)


@pytest.mark.parametrize(
    ("shown", "level"),
    [
        ((16, 16), 0),
        ((31, 31), 0),
        ((32, 32), 1),
        ((63, 63), 1),
        ((64, 64), 2),
        ((200, 200), 2),
        ((64, 20), 0),
        ((40, 64), 1),
    ],
)
def test_a_crop_is_read_from_the_smallest_level_that_has_its_detail(
    shown: Size, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(32, 1, "raw")
    asked: list[Size] = []

    def resample(pixels: NDArray[np.uint8], map_: Map, size: Size) -> NDArray[np.uint8]:
        asked.append((pixels.shape[1], pixels.shape[0]))
        return pixels

    monkeypatch.setattr(pixel_policy, "resample", resample)
    data = bytes(sum(width * height for width, height in policy.pyramid((32, 32))))
    cached = pixel_policy.CachedImage(policy, (32, 32), data)
    cached.read(Map(crop((0, 0, *shown), (16, 16))), (16, 16), 1)
    assert asked == [policy.pyramid((32, 32))[level]]


@pytest.mark.parametrize("count", [1, SAMPLE, SAMPLE + 1, 10 * SAMPLE])
def test_a_choice_opens_a_few_images_however_many_there_are(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "1.png")
    images = IndexedImages(build(tmp_path, ("a",), ["1.png"] * count, label=[0] * count))
    opened: list[int] = []

    def open_image(self: IndexedImages, row: int) -> OpenedImage:
        opened.append(row)
        return original(self, row)

    original = IndexedImages.open
    monkeypatch.setattr(IndexedImages, "open", open_image)
    policy, why = choose(images, np.arange(count), DataRecipe(pixel_cache="on"), 16, 3, 1)
    assert policy == Policy(16, 3, "raw")
    assert why.endswith("images have 9.1 times the pixels that are kept, 16 on the shorter side")
    assert min(count, SAMPLE // 2) <= len(opened) <= SAMPLE
    assert opened[0] == 0
    assert opened[-1] >= count * 0.98 - 1
