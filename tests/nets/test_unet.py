from typing import Any

import pytest
import torch
from torch import nn

from striate.errors import UsageError
from striate.nets import create
from striate.nets.unet import NearestUp, TransposedUp, UNet


@pytest.mark.parametrize(
    "name",
    ["convnet39", "lenet5_notes", "mobilenet_v2", "nin_cifar", "plain20_cifar", "resnet50", "vgg11", "googlenet"],
)
@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_over_any_net_with_features(name: str, upsampling: str) -> None:
    with torch.device("meta"):
        net = UNet(create(name), upsampling=upsampling, num_classes=5)
        for height, width in ((64, 64), (75, 91)):
            assert net(torch.empty(2, 3, height, width)).shape == (2, 5, height, width)
    named = dict(net.named_modules())
    stages = {f"{stage}.{name}" for stage in net.stages for name, _ in named[stage].named_parameters()}
    assert stages | {"head.weight", "head.bias"} == {name for name, _ in net.named_parameters()}


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
@pytest.mark.parametrize("name", ["convnet39", "resnet20_cifar"])
def test_gradient_reaches_every_parameter_that_is_kept(name: str, upsampling: str) -> None:
    net = UNet(create(name), upsampling=upsampling)
    torch.autograd.backward(net(torch.randn(2, 3, 39, 39)).square().sum())
    unreached = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.count_nonzero()]
    assert unreached == []


def test_the_head_of_the_encoder_goes_and_the_rest_stays_as_it_was() -> None:
    encoder: Any = create("resnet18")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    net = UNet(encoder)
    assert net.encoder is encoder
    assert isinstance(encoder.fc, nn.Identity)
    assert encoder.training
    after = encoder.state_dict()
    assert before.keys() - after.keys() == {"fc.weight", "fc.bias"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())
    assert not encoder._forward_hooks


@pytest.mark.parametrize("block", [NearestUp, TransposedUp])
def test_a_join_has_the_shape_of_its_skip(block: type[NearestUp] | type[TransposedUp]) -> None:
    x, skip = torch.randn(2, 8, 3, 4), torch.randn(2, 6, 7, 8)
    y = block(8, 6)(x, skip)
    assert y.shape == skip.shape


def test_nearest_repeats_each_pixel_and_transposed_learns_what_to_put_there() -> None:
    seen: list[torch.Tensor] = []
    x, skip = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 6, 6)
    near, learned = NearestUp(4, 4), TransposedUp(4, 4)
    for block in (near, learned):
        block.convs.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        block(x, skip)
    assert all(torch.equal(joined[:, :4], skip) for joined in seen)
    assert torch.equal(seen[0][:, 4:], x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert torch.equal(seen[1][:, 4:], learned.up(x))


def test_the_paper_has_23_convolutions() -> None:
    with torch.device("meta"):
        net = create("unet")
    assert sum(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in net.modules()) == 23  # sec. 2


def test_the_parts_of_a_net_that_its_features_use_are_all_kept() -> None:
    for name in ("mobilenet_v1_025", "squeezenet1_1", "inception_v3"):
        with torch.device("meta"):
            net = UNet(create(name))
            whole: Any = create(name).eval()
            maps = whole.features(torch.empty(1, 3, 107, 107))
            kept = net.eval().features(torch.empty(1, 3, 107, 107))
        assert [x.shape for x in kept] == [x.shape for x in maps]


def test_an_unknown_upsampling_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        create("unet", upsampling="transpose")
    assert str(caught.value) == (
        "`upsampling`: expected nearest or transposed; got 'transpose'. Did you mean `transposed`?"
    )


def test_an_encoder_needs_features() -> None:
    with pytest.raises(UsageError) as caught:
        UNet(nn.Linear(2, 2))
    assert str(caught.value) == "`encoder`: expected a net with `features`; got Linear. Try one of the catalogue."
