import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, kstest
from torch import Tensor

from striate.augment import Stream, generator
from striate.augment.mix import Mix, draw_mix
from striate.augment.presets import Augmentation

MIXUP = Augmentation(mixup=0.4)
CUTMIX = Augmentation(cutmix=1.0)
BOTH = Augmentation(mixup=0.4, cutmix=1.0)
SIZE = (24, 16)
kinds = st.sampled_from([MIXUP, CUTMIX, BOTH])
batches = st.lists(st.integers(0, 10**6), min_size=1, max_size=9, unique=True)


def images(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, SIZE[1], SIZE[0], generator=torch.Generator().manual_seed(seed))


def one_hot(n: int) -> Tensor:
    return torch.eye(5)[torch.arange(n) % 5]


def drawn(augment: Augmentation, rows: list[int], seed: int = 0, epoch: int = 0) -> Mix:
    mix = draw_mix(augment, rows, SIZE, seed, epoch)
    if mix is None:
        raise TypeError("expected a Mix; got None")
    return mix


def test_nothing_is_mixed_unless_asked_for() -> None:
    assert draw_mix(Augmentation(), [1, 2, 3], SIZE, 0, 0) is None


@given(kinds, batches)
def test_targets_still_sum_to_one(augment: Augmentation, rows: list[int]) -> None:
    targets = drawn(augment, rows).targets(one_hot(len(rows)))
    assert targets.sum(dim=1).numpy() == pytest.approx(1, abs=1e-6)
    assert 0 <= float(targets.min()) <= float(targets.max()) <= 1


@given(kinds, batches)
def test_an_image_shows_as_much_of_each_as_its_target_says(augment: Augmentation, rows: list[int]) -> None:
    """Images that are 1 in the channel of their own place, and 0 elsewhere: their means are the shares."""
    n = len(rows)
    planes = torch.eye(n)[:, :, None, None].expand(n, n, SIZE[1], SIZE[0])
    mix = drawn(augment, rows)
    assert mix.apply(planes).mean(dim=(2, 3)).numpy() == pytest.approx(mix.targets(torch.eye(n)).numpy(), abs=1e-5)


@given(batches)
def test_mixup_blends_whole_neighbours(rows: list[int]) -> None:
    batch, mix = images(len(rows)), drawn(MIXUP, rows)
    mixed = mix.apply(batch)
    for first in range(0, len(rows) - 1, 2):
        rng = generator(0, Stream.MIX, 0, rows[first])
        rng.random(3)  # which kind, and where a box would lie
        share = rng.beta(0.4, 0.4)
        share = max(share, 1 - share)
        one, other = batch[first], batch[first + 1]
        assert torch.allclose(mixed[first], share * one + (1 - share) * other, atol=1e-5)
        assert torch.allclose(mixed[first + 1], share * other + (1 - share) * one, atol=1e-5)


@given(batches)
def test_cutmix_swaps_one_box_between_neighbours_to_the_bit(rows: list[int]) -> None:
    batch, mix = images(len(rows)), drawn(CUTMIX, rows)
    expected = batch.clone()
    for place, (x0, y0, x1, y1) in enumerate(mix.box.tolist()):
        assert 0 <= x0 <= x1 <= SIZE[0]
        assert 0 <= y0 <= y1 <= SIZE[1]
        other = int(mix.partner[place])
        expected[place, :, y0:y1, x0:x1] = batch[other, :, y0:y1, x0:x1]
    assert torch.equal(mix.apply(batch), expected)


@pytest.mark.parametrize("augment", [MIXUP, CUTMIX, BOTH])
def test_the_last_of_an_odd_batch_stays_alone(augment: Augmentation) -> None:
    for rows in ([5], [1, 2, 3]):
        batch, targets, mix = images(len(rows)), one_hot(len(rows)), drawn(augment, rows)
        assert torch.equal(mix.apply(batch)[-1], batch[-1])
        assert torch.equal(mix.targets(targets)[-1], targets[-1])


@given(kinds, batches, st.integers(0, 4))
def test_a_batch_is_mixed_as_its_even_shards_are(augment: Augmentation, rows: list[int], pairs: int) -> None:
    batch, targets = images(len(rows)), one_hot(len(rows))
    whole = drawn(augment, rows)
    shards = [part for part in (slice(0, 2 * pairs), slice(2 * pairs, len(rows))) if rows[part]]
    mixes = [drawn(augment, rows[part]) for part in shards]
    apart = [mix.apply(batch[part]) for mix, part in zip(mixes, shards, strict=True)]
    assert torch.equal(torch.cat(apart), whole.apply(batch))
    apart = [mix.targets(targets[part]) for mix, part in zip(mixes, shards, strict=True)]
    assert torch.equal(torch.cat(apart), whole.targets(targets))


@given(kinds, batches, st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_mixing_is_a_function_of_seed_epoch_and_rows(
    augment: Augmentation, rows: list[int], seed: int, epoch: int
) -> None:
    first, second = (drawn(replace(augment), rows, seed, epoch).apply(images(len(rows))) for _ in range(2))
    assert torch.equal(first, second)


def test_other_seeds_epochs_and_rows_mix_otherwise() -> None:
    base = drawn(MIXUP, [0, 1]).share
    for rows, seed, epoch in (([2, 1], 0, 0), ([0, 1], 1, 0), ([0, 1], 0, 1)):
        assert not torch.equal(drawn(MIXUP, rows, seed, epoch).share, base)


def test_shares_are_drawn_from_the_beta_distribution() -> None:
    rows = list(range(2000))
    share = drawn(MIXUP, rows).share[::2].numpy()
    assert share.min() >= 0.5
    assert kstest(share, lambda x: beta.cdf(x, 0.4, 0.4) - beta.cdf(1 - x, 0.4, 0.4)).pvalue > 1e-4
    size = (10_000, 10_000)  # large, so that whole pixels do not show
    mix = draw_mix(CUTMIX, rows, size, 0, 0)
    x0, y0, x1, y1 = np.asarray((mix or drawn(CUTMIX, rows)).box[::2]).T
    uncut = (x0 > 0) & (y0 > 0) & (x1 < size[0]) & (y1 < size[1])
    assert (x1 - x0)[uncut] == pytest.approx((y1 - y0)[uncut], abs=1)  # a box of the image's shape
    centre = ((x0 + x1) / 2)[(x1 - x0 < 1000) & uncut] / size[0]
    assert kstest(centre, "uniform").pvalue > 1e-4


def test_both_are_used_as_often() -> None:
    mix = drawn(BOTH, list(range(2000)))
    cuts = int((mix.keep[::2] == 1).sum())
    assert abs(cuts - 500) < 5 * math.sqrt(250)


def test_memory_format_and_type_stay() -> None:
    batch = images(4).to(memory_format=torch.channels_last)
    mixed = drawn(BOTH, [1, 2, 3, 4]).apply(batch)
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    assert drawn(BOTH, [1, 2, 3, 4]).apply(batch.bfloat16()).dtype == torch.bfloat16


def test_the_batch_is_left_as_it_is() -> None:
    batch, targets, mix = images(4), one_hot(4), drawn(BOTH, [1, 2, 3, 4])
    mix.apply(batch)
    mix.targets(targets)
    assert torch.equal(batch, images(4))
    assert torch.equal(targets, one_hot(4))
