import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from striate.tasks.locate_boxes import giou, ordered
from striate.tasks.locate_loss import BETA, BOX_LOSSES, BoxLoss, box_loss

TRUTH = torch.tensor([[0.1, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0]])


def guess(seed: int = 0) -> Tensor:
    return torch.rand(2, 4, generator=torch.Generator().manual_seed(seed))


def test_mse_is_pytorchs_mean() -> None:
    assert float(box_loss("mse", guess(), TRUTH).mean()) == pytest.approx(float(mse_loss(guess(), TRUTH)))


def test_smooth_l1_is_a_square_and_then_a_line() -> None:
    truth = torch.zeros(2, 4)
    near, far = BETA / 2, 3 * BETA
    boxes = torch.tensor([[near] * 4, [far] * 4])
    expected = [near**2 / (2 * BETA), far - BETA / 2]
    assert box_loss("smooth_l1", boxes, truth).tolist() == pytest.approx(expected)


def test_giou_is_one_less_the_overlap_whatever_the_order_of_the_edges() -> None:
    boxes = torch.tensor([[0.1, 0.2, 0.6, 0.9], [1.0, 1.0, 0.5, 0.5]])
    swapped = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
    expected = [0.0, 1 - float(giou(swapped, TRUTH[1:]))]
    assert box_loss("giou", boxes, TRUTH).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_a_box_that_is_right_has_no_loss(kind: BoxLoss) -> None:
    assert box_loss(kind, TRUTH.clone(), TRUTH).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("kind", BOX_LOSSES)
@pytest.mark.parametrize("degenerate", [False, True])
def test_an_image_without_a_box_has_no_loss_and_no_gradient(kind: BoxLoss, degenerate: bool) -> None:
    boxes = torch.full((2, 4), 0.5) if degenerate else guess()
    boxes.requires_grad_()
    truth = TRUTH.clone()
    truth[1] = torch.nan
    loss = box_loss(kind, boxes, truth)
    loss.sum().backward()
    assert boxes.grad is not None
    assert loss[1].item() == 0
    assert boxes.grad[1].tolist() == [0, 0, 0, 0]
    assert loss[0].item() > 0
    assert boxes.grad.isfinite().all()


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_following_the_gradient_finds_the_box(kind: BoxLoss) -> None:
    boxes = guess(1).requires_grad_()
    optimizer = torch.optim.Adam([boxes], lr=0.01)
    for _ in range(400):
        optimizer.zero_grad()
        box_loss(kind, boxes, TRUTH).sum().backward()
        optimizer.step()
    assert (ordered(boxes.detach()) - TRUTH).abs().max() < 0.03
