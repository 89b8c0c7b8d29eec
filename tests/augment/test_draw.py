import doctest
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from striate.augment import Stream, draw, generator

seeds = st.integers(0, 2**63 - 1)
numbers = st.integers(0, 2**40)
streams = st.sampled_from(Stream)
keys = st.tuples(seeds, streams, numbers, numbers)


def test_doctests_run() -> None:
    result = doctest.testmod(draw)
    assert result.attempted > 0
    assert result.failed == 0


@given(keys)
def test_the_same_numbers_give_the_same_draws(key: tuple[int, Stream, int, int]) -> None:
    first, second = generator(*key), generator(*key)
    assert first.random(9).tolist() == second.random(9).tolist()
    assert first.permutation(20).tolist() == second.permutation(20).tolist()


@given(keys, keys)
def test_other_numbers_give_other_draws(a: tuple[int, Stream, int, int], b: tuple[int, Stream, int, int]) -> None:
    assert (generator(*a).random() == generator(*b).random()) == (a == b)


def test_draws_of_one_generator_do_not_move_another() -> None:
    undisturbed = generator(3, Stream.AUGMENT, 1, 5).random(4)
    first, second = generator(3, Stream.AUGMENT, 1, 4), generator(3, Stream.AUGMENT, 1, 5)
    mixed = [(first.random(100), second.random())[1] for _ in range(4)]
    assert mixed == undisturbed.tolist()


@pytest.mark.parametrize("axis", ["seed", "stream", "epoch", "sample"])
def test_neighbours_are_independent(axis: str) -> None:
    """Draws of generators that differ in one number by one share no value and are not correlated."""
    base = {"seed": 7, "stream": Stream.AUGMENT, "epoch": 2, "sample": 11}
    values: list[Stream] | list[int] = list(Stream) if axis == "stream" else [4, 5, 6, 7]
    draws = [generator(**{**base, axis: value}).random(2000) for value in values]  # type: ignore[arg-type]
    for a, b in combinations(draws, 2):
        assert not np.intersect1d(a, b).size
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(2000)  # 5 standard deviations


@pytest.mark.parametrize("axis", ["seed", "epoch", "sample"])
def test_all_bits_of_a_number_count(axis: str) -> None:
    base = {"seed": 7, "epoch": 2, "sample": 11}
    numbers = [base, *({**base, axis: base[axis] + 2**bit} for bit in (8, 16, 31, 32, 48, 61))]
    draws = {generator(each["seed"], Stream.AUGMENT, each["epoch"], each["sample"]).random() for each in numbers}
    assert len(draws) == len(numbers)


def test_first_draws_of_many_samples_are_uniform() -> None:
    draws = [generator(0, Stream.AUGMENT, 0, sample).random() for sample in range(3000)]
    assert kstest(draws, "uniform").pvalue > 0.001


def test_numbers_of_streams_stay_as_they_are() -> None:
    """They are part of what a seed means: a run that is resumed by a later version must find the same draws."""
    names = ["SPLIT", "ORDER", "AUGMENT", "STEP", "COLOUR", "ERASE", "MIX", "NOISE", "TRIVIAL"]
    assert {stream.name: stream.value for stream in Stream} == {name: number for number, name in enumerate(names)}
    raw = generator(7, Stream.AUGMENT, epoch=3, sample=12).bit_generator.random_raw(2)
    assert raw.tolist() == [1213312473892367154, 15370341700496394393]
