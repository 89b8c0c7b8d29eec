from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

from striate.errors import SizeError
from striate.nets import create
from striate.nets.inception_v3 import SideBranch, means


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def meta(**arguments: object) -> Any:
    with torch.device("meta"):
        return create("inception_v3", **arguments)


def test_a_picture_under_75_pixels_is_refused() -> None:
    net = meta()
    assert net(torch.empty(2, 3, 75, 75, device="meta")).shape == (2, 1000)
    with pytest.raises(SizeError) as caught:
        net(torch.empty(2, 3, 75, 74, device="meta"))
    assert str(caught.value) == (
        "`images`: expected H and W of at least 75; got the shape [2, 3, 75, 74]. "
        "Try resizing them to 299 x 299, or a net that takes smaller ones, such as `resnet18`."
    )


def test_maps_of_the_published_size() -> None:
    maps = meta().features(torch.empty(1, 3, 299, 299, device="meta"))
    assert [x.shape[2] for x in maps] == [147, 71, 35, 17, 8]  # table 1 of the paper


def test_without_its_side_branch_only_its_keys_are_absent() -> None:
    whole, lean = meta(), meta(side_branches=False)
    assert sum(parameter.numel() for parameter in lean.parameters()) == 23_834_568
    kept = [key for key in whole.state_dict() if not key.startswith("AuxLogits.")]
    assert list(lean.state_dict()) == kept
    assert (whole.branch_weights, lean.branch_weights) == ((0.4,), ())
    assert [x.shape for x in lean.branches(torch.empty(2, 3, 107, 107, device="meta"))] == [(2, 1000)]


def test_the_side_branch_answers_beside_the_main_one() -> None:
    net: Any = create("inception_v3", num_classes=5).eval()
    images = numbers(2, 3, 107, 107)
    with torch.inference_mode():
        main, side = net.branches(images)
        assert torch.equal(main, net(images))
    assert main.shape == side.shape == (2, 5)
    assert not torch.equal(main, side)


@pytest.mark.parametrize("training", [False, True])
def test_forward_leaves_the_side_branch_idle(training: bool) -> None:
    net = meta().train(training)
    net.AuxLogits.register_forward_hook(lambda *_: pytest.fail("AuxLogits ran"))
    net(torch.empty(2, 3, 107, 107, device="meta"))


@pytest.mark.parametrize("size", [17, 20])
def test_the_side_branch_pools_as_published(size: int) -> None:
    branch, x = SideBranch(5).eval(), numbers(1, 768, size, size)
    assert avg_pool2d(x, 5, stride=3).shape == (1, 768, (size - 2) // 3, (size - 2) // 3)
    seen: list[Tensor] = []
    branch.conv0.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    branch(x)
    assert torch.equal(seen[0], avg_pool2d(x, 5, stride=3))


@pytest.mark.parametrize("size", [3, 12, 16])
def test_the_side_branch_takes_maps_of_smaller_images(size: int) -> None:
    branch, x = SideBranch(5).eval(), numbers(1, 768, size, size)
    with torch.inference_mode():
        assert torch.equal(branch(x), branch(adaptive_avg_pool2d(x, 5)))


def test_factorised_convolutions() -> None:
    """Section 3: two 3x3 for a 5x5, and a 1x7 with a 7x1 for a 7x7, in all four blocks at 17x17."""
    net = meta()
    shapes = [module.kernel_size for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert shapes.count((1, 7)) == shapes.count((7, 1)) == 4 * 3 + 1
    assert shapes.count((1, 3)) == shapes.count((3, 1)) == 2 * 2
    assert shapes.count((5, 5)) == 3 + 1  # torchvision's blocks keep one beside the two 3x3; the side branch has one
    assert (7, 7) not in shapes


def test_means_at_the_border_are_of_what_lies_inside_in_tensorflows_form() -> None:
    torch.manual_seed(0)
    x = torch.ones(1, 2, 5, 5)
    assert means(count_include_pad=False)(x).eq(1).all()
    assert means(count_include_pad=True)(x)[0, 0, 0, 0].item() == pytest.approx(4 / 9)
    theirs, ours = create("inception_v3_tf").eval(), create("inception_v3").eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(1, 3, 107, 107)
    assert not torch.allclose(theirs(images), ours(images))
