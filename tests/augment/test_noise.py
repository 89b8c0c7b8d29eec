from dataclasses import replace

import pytest
import torch
from scipy.stats import kstest

from striate.augment import Stream
from striate.augment.noise import add_noise_, normal
from striate.augment.presets import Augmentation

NOISY = Augmentation(noise=0.1)
STD = (0.2, 0.25, 0.5)
ROWS = [4, 9, 5]


def images(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, 40, 30, generator=torch.Generator().manual_seed(0))


def test_no_strength_changes_no_bit() -> None:
    assert torch.equal(add_noise_(images(), Augmentation(), STD, ROWS, 0, 0), images())


def test_noise_is_normal_and_its_strength_is_of_values_0_to_1() -> None:
    noise = add_noise_(images(), NOISY, STD, ROWS, 0, 0) - images()
    for channel, std in enumerate(STD):
        assert kstest(noise[:, channel].flatten().numpy() / (0.1 / std), "norm").pvalue > 1e-4


def test_noise_is_added_in_place() -> None:
    batch = images()
    assert add_noise_(batch, NOISY, STD, ROWS, 0, 0) is batch
    assert not torch.equal(batch, images())


def test_an_image_s_noise_does_not_depend_on_its_batch() -> None:
    whole = add_noise_(images(), NOISY, STD, ROWS, 1, 2)
    parts = images()
    add_noise_(parts[2:], NOISY, STD, ROWS[2:], 1, 2)
    add_noise_(parts[:2], NOISY, STD, ROWS[:2], 1, 2)
    assert torch.equal(whole, parts)


@pytest.mark.parametrize("other", [(1, 0, 4), (0, 1, 4), (0, 0, 5)])
def test_noise_is_a_function_of_seed_epoch_and_row(other: tuple[int, int, int]) -> None:
    def noise(seed: int, epoch: int, row: int) -> torch.Tensor:
        return add_noise_(torch.zeros(1, 3, 8, 8), replace(NOISY), STD, [row], seed, epoch)

    assert torch.equal(noise(0, 0, 4), noise(0, 0, 4))
    assert not torch.isclose(noise(0, 0, 4), noise(*other)).any()


def test_normal_numbers_are_like_what_they_are_for() -> None:
    drawn = normal(torch.zeros(2, 3, dtype=torch.float64), 0, Stream.NOISE, 0, 0)
    assert (drawn.shape, drawn.dtype) == ((2, 3), torch.float64)
