import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.augment import Size, central_crop
from striate.data import MEAN_STD, Preprocessing, mean_and_std, open_image

RGB = Preprocessing((3, 224, 192), *MEAN_STD[3])
GREY = Preprocessing((1, 28, 32), *MEAN_STD[1], crop_pct=1.0)


def pixels_of(channels: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Random pixels (N, H, W, C)."""
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (*shape, channels), np.uint8))


def test_the_record_names_channels_and_size() -> None:
    assert (RGB.channels, RGB.size) == (3, (192, 224))
    assert (GREY.channels, GREY.size) == (1, (32, 28))


def test_fields_are_timm_s_keys_and_the_range_of_deep_pixels() -> None:
    names = [field.name for field in dataclasses.fields(Preprocessing)]
    assert names == ["input_size", "mean", "std", "crop_pct", "crop_mode", "interpolation", "pixel_range"]


@pytest.mark.parametrize("preprocessing", [RGB, GREY], ids=["rgb", "grey"])
def test_normalised_values_agree_with_numpy(preprocessing: Preprocessing) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, preprocessing.channels), np.uint8)
    got = preprocessing.normalise(torch.from_numpy(pixels))
    expected = (pixels.astype(np.float64) / 255 - preprocessing.mean) / preprocessing.std
    assert got.dtype == torch.float32
    assert got.shape == (2, preprocessing.channels, 5, 4)
    assert np.abs(got.numpy() - expected.transpose(0, 3, 1, 2)).max() < 2e-6


def test_grey_runs_from_minus_one_to_one() -> None:
    values = GREY.normalise(torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1)).flatten().tolist()
    assert values == pytest.approx([-1, 1], abs=1e-6)


def test_normalised_images_lie_channels_last_in_memory() -> None:
    got = RGB.normalise(torch.zeros(2, 5, 4, 3, dtype=torch.uint8))
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert not got.is_contiguous()
    assert got.stride() == (60, 1, 12, 3)


def test_the_pixels_are_left_as_they_are() -> None:
    pixels = torch.arange(60, dtype=torch.uint8).reshape(1, 5, 4, 3)
    before = pixels.clone()
    RGB.normalise(pixels)
    assert torch.equal(pixels, before)


@given(st.integers(1, 20), st.integers(1, 40), st.sampled_from([RGB, GREY]))
def test_rows_are_normalised_as_pixels_are_to_the_bit(height: int, width: int, preprocessing: Preprocessing) -> None:
    pixels = pixels_of(preprocessing.channels, (2, height, width))
    mean, std = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
    expected = torch.addcmul(-mean.div(std), pixels.float(), std.mul(255).reciprocal()).permute(0, 3, 1, 2)
    assert torch.equal(preprocessing.normalise(pixels), expected)


@pytest.mark.parametrize("preprocessing", [RGB, GREY], ids=["rgb", "grey"])
def test_colour_and_normalisation_are_one_map(preprocessing: Preprocessing) -> None:
    c = preprocessing.channels
    pixels = pixels_of(c, (3, 5, 4))
    colour = torch.from_numpy(np.random.default_rng(1).normal(size=(3, c, c + 1)))
    values = torch.einsum("nck,nhwk->nhwc", colour[:, :, :c], pixels.double() / 255) + colour[:, None, None, :, c]
    expected = (values - torch.tensor(preprocessing.mean)) / torch.tensor(preprocessing.std)
    got = preprocessing.normalise(pixels, colour.float())
    assert got.dtype == torch.float32
    assert torch.allclose(got.double(), expected.permute(0, 3, 1, 2), atol=1e-4)
    assert got.stride() == preprocessing.normalise(pixels).stride()


@pytest.mark.parametrize("preprocessing", [RGB, GREY], ids=["rgb", "grey"])
def test_no_change_of_colour_changes_the_last_digit_at_most(preprocessing: Preprocessing) -> None:
    c = preprocessing.channels
    pixels = torch.arange(256, dtype=torch.uint8).repeat(c).reshape(1, 16, 16, c)
    plain = preprocessing.normalise(pixels)
    got = preprocessing.normalise(pixels, torch.eye(c, c + 1)[None])
    assert (got - plain).abs().max() <= torch.finfo(torch.float32).eps * plain.abs().max()
    restored = got * torch.tensor(preprocessing.std)[:, None, None] + torch.tensor(preprocessing.mean)[:, None, None]
    assert torch.equal((restored * 255).round().permute(0, 2, 3, 1).byte(), pixels)


def test_bright_values_are_not_cut() -> None:
    doubled = torch.tensor([[[2.0, 0.0]]])
    values = GREY.normalise(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8), doubled)
    assert values.item() == pytest.approx((2 - 0.5) / 0.5)


@given(st.tuples(st.integers(1, 500), st.integers(1, 500)))
def test_the_map_is_the_central_crop(source: Size) -> None:
    assert np.array_equal(RGB.map(source).matrix, central_crop(source, (192, 224), 0.875))
    assert np.array_equal(GREY.map(source).matrix, central_crop(source, (32, 28), 1.0))


@pytest.mark.parametrize("preprocessing", [RGB, GREY], ids=["rgb", "grey"])
def test_json_gives_the_record_back(preprocessing: Preprocessing) -> None:
    assert Preprocessing.from_dict(json.loads(json.dumps(dataclasses.asdict(preprocessing)))) == preprocessing


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"crop_pct": "all"}, "`crop_pct`: expected float; got str"),
        ({"input_size": [3, 224]}, "`input_size`: expected array of length 3; got 2"),
        ({"input_size": [3, 224, 0.5]}, "`input_size[2]`: expected int; got float"),
        ({"input_size": [2, 224, 224]}, "`mean`: expected 2 values, one a channel; got (0.485, 0.456, 0.406)"),
        ({"input_size": [3, 16384, 16384]}, "`input_size`: expected at most 16,777,216 pixels; got 16384x16384"),
        ({"mean": [None]}, "`mean[0]`: expected float; got null"),
        ({"mean": [0.5]}, "`mean`: expected 3 values, one a channel; got (0.5,)"),
        ({"std": 1}, "`std`: expected array; got int"),
        ({"std": [0.5, 0, 0.5]}, "`std[1]`: expected float >= 1e-06; got 0"),
    ],
)
def test_a_value_of_another_type_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        Preprocessing.from_dict(dataclasses.asdict(RGB) | change)


def test_a_key_that_is_missing_is_named() -> None:
    values = dataclasses.asdict(RGB)
    del values["mean"]
    with pytest.raises(ValueError, match=r"^expected a field mean; got none$"):
        Preprocessing.from_dict(values)


def test_the_record_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RGB.crop_pct = 1.0  # type: ignore[misc]


def test_deep_pixels_are_scaled_by_the_range_of_the_data() -> None:
    values = np.full((8, 8, 5), 2048, np.uint16)
    shown = Preprocessing((5, 8, 8), (0.5,) * 5, (0.5,) * 5, crop_pct=1.0, pixel_range=(0.0, 4095.0))
    assert (shown.read(open_image(values)) == 128).all()
    assert Preprocessing.from_dict(dataclasses.asdict(shown)) == shown
    old = {key: value for key, value in dataclasses.asdict(shown).items() if key != "pixel_range"}
    assert Preprocessing.from_dict(old).pixel_range is None


@pytest.mark.parametrize("channels", [2, 4, 5, 200])
def test_any_number_of_bands_is_normalised(channels: int) -> None:
    mean, std = mean_and_std(channels)
    pixels = torch.randint(0, 256, (2, 4, 6, channels), dtype=torch.uint8)
    expected = (pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    found = Preprocessing((channels, 4, 6), mean, std).normalise(pixels)
    torch.testing.assert_close(found, expected)
