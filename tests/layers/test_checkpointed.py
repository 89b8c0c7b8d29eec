import copy

import pytest
import torch
from torch import Tensor, nn

from striate.layers.checkpointed import Checkpointed


class Noisy(nn.Module):
    """A layer with running statistics and with chance."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.3)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        y: Tensor = self.dropout(torch.relu(self.norm(self.conv(x))))
        return x + y


def pair(depth: int) -> tuple[nn.Sequential, Checkpointed]:
    kept = nn.Sequential(*(Noisy() for _ in range(depth)))
    return kept, Checkpointed(*copy.deepcopy(kept))


def train_once(chain: nn.Module, images: Tensor) -> list[Tensor]:
    torch.manual_seed(7)  # of dropout
    images = images.clone().requires_grad_()
    chain(images).square().sum().backward()
    assert images.grad is not None
    gradients = [parameter.grad for parameter in chain.parameters() if parameter.grad is not None]
    return [images.grad, *gradients, *chain.buffers()]


@pytest.mark.parametrize("depth", [1, 2, 9, 11])
def test_gradients_and_running_statistics_are_identical(depth: int) -> None:
    kept, checkpointed = pair(depth)
    images = torch.randn(2, 4, 5, 5)
    expected, actual = train_once(kept, images), train_once(checkpointed, images)
    assert len(expected) == 1 + 4 * depth + 3 * depth
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
    moved = [buffer.item() for name, buffer in checkpointed.named_buffers() if name.endswith("num_batches_tracked")]
    assert moved == [1] * depth


def test_every_layer_runs_again_in_the_backward_pass_and_few_outputs_are_kept() -> None:
    kept, checkpointed = pair(9)
    saved: dict[str, int] = {}
    for name, chain in (("kept", kept), ("checkpointed", checkpointed)):
        sizes: list[int] = []

        def keep(x: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            result = chain(torch.randn(2, 4, 5, 5, requires_grad=True))
        saved[name] = sum(sizes)
        result.sum().backward()
    assert saved["checkpointed"] * 3 < saved["kept"]
    assert [layer.calls for layer in kept if isinstance(layer, Noisy)] == [1] * 9
    assert [layer.calls for layer in checkpointed if isinstance(layer, Noisy)] == [2] * 9


def test_runs_once_where_no_gradient_is_wanted() -> None:
    kept, checkpointed = pair(4)
    images = torch.randn(2, 4, 5, 5)
    with torch.inference_mode():
        assert torch.equal(checkpointed.eval()(images), kept.eval()(images))
    assert [layer.calls for layer in checkpointed if isinstance(layer, Noisy)] == [1] * 4


def test_parameter_names_are_those_of_a_sequential() -> None:
    kept, checkpointed = pair(2)
    assert list(checkpointed.state_dict()) == list(kept.state_dict())
