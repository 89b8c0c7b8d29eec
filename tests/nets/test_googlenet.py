from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from striate.nets import create
from striate.nets.googlenet import PAPER, TORCHVISION, four_by_four

BOTH = pytest.mark.parametrize("name", ["googlenet", "googlenet_paper"])


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def meta(name: str, **arguments: object) -> Any:
    with torch.device("meta"):
        return create(name, **arguments)


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(("name", "parameters"), [("googlenet", 6_624_904), ("googlenet_paper", 6_998_552)])
def test_without_side_branches_only_their_keys_are_absent(name: str, parameters: int) -> None:
    """The counts are those that torchvision and Caffe's users state for the net in use."""
    whole, lean = meta(name), meta(name, side_branches=False)
    assert count(lean) == parameters
    kept = [key for key in whole.state_dict() if not key.startswith(("aux1.", "aux2."))]
    assert list(lean.state_dict()) == kept
    assert (whole.branch_weights, lean.branch_weights) == ((0.3, 0.3), ())
    assert [x.shape for x in lean.branches(torch.empty(2, 3, 64, 64, device="meta"))] == [(2, 1000)]


@BOTH
def test_the_side_branches_answer_beside_the_main_one(name: str) -> None:
    net: Any = create(name, num_classes=5).eval()
    images = numbers(2, 3, 64, 64)
    with torch.inference_mode():
        outputs = net.branches(images)
        assert torch.equal(outputs[0], net(images))
    assert [x.shape for x in outputs] == [(2, 5)] * 3
    assert not torch.equal(outputs[1], outputs[2])


@BOTH
def test_the_side_branches_come_from_input_to_output(name: str) -> None:
    net: Any = create(name, num_classes=5).eval()
    for value, branch in ((1.0, net.aux1), (2.0, net.aux2)):
        nn.init.zeros_(branch.fc2.weight)
        nn.init.constant_(branch.fc2.bias, value)
    with torch.inference_mode():
        _, first, second = net.branches(numbers(1, 3, 64, 64))
    assert (first == 1).all()
    assert (second == 2).all()


@BOTH
@pytest.mark.parametrize("training", [False, True])
def test_forward_leaves_the_side_branches_idle(name: str, training: bool) -> None:
    net = meta(name).train(training)
    net.aux1.register_forward_hook(lambda *_: pytest.fail("aux1 ran"))
    net.aux2.register_forward_hook(lambda *_: pytest.fail("aux2 ran"))
    net(torch.empty(2, 3, 64, 64, device="meta"))


@BOTH
def test_maps_of_the_published_size(name: str) -> None:
    """Table 1 of the paper; the side branches see the 14x14 maps of 4a and 4d."""
    net = meta(name)
    seen: list[torch.Size] = []
    for branch in (net.aux1, net.aux2):
        branch.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape))
    images = torch.empty(1, 3, 224, 224, device="meta")
    assert [x.shape[1:] for x in net.features(images)] == [
        (64, 112, 112),
        (192, 56, 56),
        (480, 28, 28),
        (832, 14, 14),
        (1024, 7, 7),
    ]
    net.branches(images)
    assert [tuple(shape[1:]) for shape in seen] == [(512, 14, 14), (528, 14, 14)]


@pytest.mark.parametrize(("name", "wide", "norms"), [("googlenet", 3, True), ("googlenet_paper", 5, False)])
def test_the_third_branch_and_batch_norm(name: str, wide: int, norms: bool) -> None:
    net = meta(name)
    blocks = [module for stage, module in net.named_children() if stage.startswith("inception")]
    assert len(blocks) == 9
    for block in blocks:
        assert block.branch3[1].conv.kernel_size == (wide, wide)
        assert block.branch2[1].conv.kernel_size == (3, 3)
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) is norms


def test_the_paper_normalises_responses_as_caffe_does() -> None:
    x = 30 * numbers(2, 7, 4, 4)
    expected = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1)(x)
    assert torch.allclose(PAPER.normalise(x), expected, rtol=1e-5, atol=0)
    assert not torch.allclose(expected, x, rtol=1e-2)
    assert TORCHVISION.normalise(x) is x


def test_the_stem_of_the_paper_is_normalised_twice() -> None:
    calls = []

    def counting(x: Tensor) -> Tensor:
        calls.append(tuple(x.shape[1:]))
        return x

    net = meta("googlenet_paper")
    net.form = replace(PAPER, normalise=counting)
    net(torch.empty(1, 3, 224, 224, device="meta"))
    assert calls == [(64, 56, 56), (192, 56, 56)]  # fig. 3 of the paper


def test_the_paper_s_windows_before_a_side_branch() -> None:
    x = numbers(2, 3, 14, 14)
    assert torch.equal(four_by_four(x), avg_pool2d(x, 5, stride=3))
    assert torch.allclose(four_by_four(x)[:, :, 3, 0], x[:, :, 9:14, 0:5].mean(dim=(2, 3)), atol=1e-6)
    assert not torch.allclose(TORCHVISION.side_pool(x), four_by_four(x))  # its windows are of 4 or 5 pixels
    for size in (4, 13, 17):
        assert four_by_four(numbers(1, 3, size, size)).shape == (1, 3, 4, 4)


@pytest.mark.parametrize(("name", "share", "last_pool"), [("googlenet", 0.2, 2), ("googlenet_paper", 0.4, 3)])
def test_dropout_and_the_last_max_pooling(name: str, share: float, last_pool: int) -> None:
    net = meta(name)
    assert (net.dropout.p, net.form.last_pool) == (share, last_pool)
