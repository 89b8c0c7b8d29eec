import pytest
import torch
from torch import nn

from striate.training.ema import Ema


def filled(value: float, count: int = 0) -> nn.BatchNorm1d:
    """A net whose parameters and buffers are all `value`."""
    net = nn.BatchNorm1d(2)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.copy_(torch.full_like(tensor, count if not tensor.is_floating_point() else value))
    return net


def test_three_updates_by_hand() -> None:
    ema = Ema(filled(1.0), decay=0.2)
    expected = 1.0
    for step, value in enumerate((3.0, -2.0, 5.0)):
        ema.update(filled(value, count=step), step)
        decay = (0.1, 2 / 11, 0.2)[step]  # (1 + n) / (10 + n), at most 0.2
        expected = decay * expected + (1 - decay) * value
        state = ema.net.state_dict()
        for name in ("weight", "bias", "running_mean", "running_var"):
            assert state[name].tolist() == pytest.approx([expected] * 2), name
        assert state["num_batches_tracked"] == step  # a counter is copied


def test_the_decay_is_reached_in_the_end() -> None:
    ema = Ema(filled(1.0), decay=0.9)
    ema.update(filled(0.0), step=80)  # 81 / 90 = 0.9
    assert ema.net.state_dict()["weight"].tolist() == pytest.approx([0.9] * 2)
    ema.update(filled(0.0), step=10**6)
    assert ema.net.state_dict()["weight"].tolist() == pytest.approx([0.81] * 2)


def test_the_average_is_a_copy_that_is_neither_trained_nor_in_training_mode() -> None:
    net = filled(1.0).train()
    ema = Ema(net, decay=0.5)
    assert not ema.net.training
    assert not any(parameter.requires_grad for parameter in ema.net.parameters())
    with torch.no_grad():
        net.weight.fill_(7.0)
    assert ema.net.state_dict()["weight"].tolist() == [1.0, 1.0]
    ema.update(net, 0)
    assert net.weight.tolist() == [7.0, 7.0]
    assert net.training
    assert net.weight.requires_grad
