"""Temperatures: the best, found in a few passes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from striate.tasks.temperature import fit_temperature


@given(st.floats(0.1, 10), st.booleans())
@settings(max_examples=20)
def test_the_temperature_is_the_one_that_made_the_labels(temperature: float, several: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4000, 3, generator=rng, dtype=torch.float64)
    if several:
        labels = torch.bernoulli(logits.sigmoid(), generator=rng)
    else:
        labels = torch.multinomial(logits.softmax(dim=1), 1, generator=rng)[:, 0]
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("pictures", [20, 200])
def test_pictures_that_are_all_answered_right_do_not_make_a_head_sure(pictures: int, several: bool) -> None:
    labels = torch.arange(pictures) % 2
    truth = nn.functional.one_hot(labels, 2) if several else labels
    logits = 20.0 * nn.functional.one_hot(labels, 2) - 10.0
    scaled = logits / fit_temperature(logits, truth)
    sure = scaled.sigmoid() if several else scaled.softmax(dim=1)
    expected = (pictures + 0.5) / (pictures + 1)  # Jeffreys' estimate of a share, of so many right and none wrong
    torch.testing.assert_close(sure[0, 0], torch.tensor(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_temperature_is_the_one_that_a_search_finds(several: bool, scale: float, smoothing: float) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(200, 4, generator=rng, dtype=torch.float64)
    labels = torch.bernoulli((logits / 2).sigmoid(), generator=rng)
    if not several:
        labels = torch.multinomial((logits / 2).softmax(dim=1), 1, generator=rng)[:, 0]

    def lost(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        if not several:
            return float(cross_entropy(scaled, labels, label_smoothing=smoothing))
        return float(binary_cross_entropy_with_logits(scaled, labels * (1 - smoothing) + smoothing / 2))

    best = minimize_scalar(lost, bounds=(-5.0, 5.0), method="bounded").x
    assert lost(math.log(fit_temperature(logits, labels, smoothing))) <= lost(best) + 1e-9
    found = fit_temperature((logits * scale).float(), labels, smoothing)
    assert found == pytest.approx(min(max(scale * math.exp(best), math.exp(-5)), math.exp(5)), rel=1e-2)


def test_many_images_are_worked_on_in_parts() -> None:
    rng = torch.Generator().manual_seed(0)
    logits: Tensor = 3 * torch.randn(3000, 700, generator=rng)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=rng)[:, 0]
    assert fit_temperature(2 * logits, labels) == pytest.approx(2, rel=0.02)
