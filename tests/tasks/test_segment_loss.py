import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from striate.tasks.segment_loss import PixelLoss, median_frequency, pixel_loss, pixel_mass

WEIGHT = torch.tensor([0.5, 1.0, 3.0])


def batch(seed: int = 0, void: float = 0.3) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    masks = torch.randint(0, 3, (4, 6, 5), generator=rng, dtype=torch.uint8)
    masks[torch.rand(4, 6, 5, generator=rng) < void] = 255
    return torch.randn(4, 3, 6, 5, generator=rng), masks


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_weighted_mean_of_images_is_pytorchs_mean_of_pixels(weight: Tensor | None, smoothing: float) -> None:
    logits, masks = batch()
    each, mass = pixel_loss("ce", logits, masks, weight, smoothing), pixel_mass(masks, weight)
    expected = cross_entropy(logits, masks.long(), weight, ignore_index=255, label_smoothing=smoothing)
    assert float((each * mass).sum() / mass.sum()) == pytest.approx(float(expected), rel=1e-5)


def test_dice_counted_by_hand() -> None:
    masks = torch.tensor([[[0, 0, 1, 255]]], dtype=torch.uint8)
    shares = torch.tensor([[0.5, 1.0, 0.25, 0.9], [0.5, 0.0, 0.75, 0.1]])  # (classes, pixels)
    logits = shares.clamp(min=1e-9).log()[None, :, None, :]
    first = (2 * 1.5 + 1) / (1.75 + 2 + 1)
    second = (2 * 0.75 + 1) / (1.25 + 1 + 1)
    assert pixel_loss("dice", logits, masks).tolist() == pytest.approx([1 - (first + second) / 2], rel=1e-5)
    weighted = pixel_loss("dice", logits, masks, torch.tensor([1.0, 3.0]))
    assert weighted.tolist() == pytest.approx([1 - (first + 3 * second) / 4], rel=1e-5)


def test_both_is_the_sum() -> None:
    logits, masks = batch()
    both = pixel_loss("ce+dice", logits, masks, WEIGHT, 0.1)
    parts = pixel_loss("ce", logits, masks, WEIGHT, 0.1) + pixel_loss("dice", logits, masks, WEIGHT)
    torch.testing.assert_close(both, parts)


@pytest.mark.parametrize("kind", ["ce", "dice", "ce+dice"])
def test_a_right_answer_has_no_loss(kind: PixelLoss) -> None:
    _, masks = batch(void=0)
    logits = 50 * torch.nn.functional.one_hot(masks.long(), 3).movedim(-1, 1).float()
    assert pixel_loss(kind, logits, masks).tolist() == pytest.approx([0] * 4, abs=1e-5)


@pytest.mark.parametrize("kind", ["ce", "dice", "ce+dice"])
def test_pixels_that_count_for_nothing_have_no_gradient(kind: PixelLoss) -> None:
    logits, masks = batch()
    masks[3] = 255
    logits.requires_grad_()
    loss = pixel_loss(kind, logits, masks, WEIGHT)
    (loss * pixel_mass(masks, WEIGHT)).sum().backward()
    assert logits.grad is not None
    assert not logits.grad[(masks == 255)[:, None].expand_as(logits)].any()
    assert logits.grad[(masks != 255)[:, None].expand_as(logits)].all()
    assert logits.grad.isfinite().all()
    assert pixel_mass(masks, WEIGHT)[3] == 0


def test_median_frequency_counted_by_hand() -> None:
    pixels = torch.tensor([600, 100, 20, 0])  # of classes in images that have 1000, 1000, 400 and no pixels
    present = torch.tensor([1000, 1000, 400, 0])
    frequency = np.array([0.6, 0.1, 0.05])
    expected = [*(np.median(frequency) / frequency), 0.0]
    assert median_frequency(pixels, present).tolist() == pytest.approx(expected)
    two = median_frequency(torch.tensor([300, 100]), torch.tensor([400, 400]))
    assert two.tolist() == pytest.approx([0.5 / 0.75, 0.5 / 0.25])
    assert median_frequency(torch.zeros(2), torch.zeros(2)).tolist() == [0, 0]
