from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d, max_unpool2d

from striate.errors import UsageError
from striate.nets import create
from striate.nets.unet import UPSAMPLINGS, NearestUp, TransposedUp, UNet, UnpoolUp


@pytest.mark.parametrize(
    "name",
    ["convnet39", "lenet5_notes", "mobilenet_v2", "nin_cifar", "plain20_cifar", "resnet50", "vgg11", "googlenet"],
)
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_over_any_net_with_features(name: str, upsampling: str) -> None:
    with torch.device("meta"):
        net = UNet(create(name), upsampling=upsampling, num_classes=5)
        for height, width in ((64, 64), (75, 91)):
            assert net(torch.empty(2, 3, height, width)).shape == (2, 5, height, width)
    named = dict(net.named_modules())
    stages = {f"{stage}.{name}" for stage in net.stages for name, _ in named[stage].named_parameters()}
    assert stages | {"classifier.weight", "classifier.bias"} == {name for name, _ in net.named_parameters()}


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
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


@pytest.mark.parametrize("block", UPSAMPLINGS.values())
@pytest.mark.parametrize("size", [(6, 8), (7, 8), (5, 7), (11, 13), (4, 4)])
def test_a_join_has_the_shape_of_its_skip(
    block: type[NearestUp] | type[TransposedUp] | type[UnpoolUp], size: tuple[int, int]
) -> None:
    x, skip = torch.randn(2, 8, 3, 4), torch.randn(2, 6, *size)
    y = block(8, 6)(x, skip)
    assert y.shape == skip.shape


@pytest.mark.parametrize(("height", "width"), [(64, 64), (67, 85)])
def test_unpooling_puts_values_back_where_the_encoders_pooling_took_the_maxima(height: int, width: int) -> None:
    net: Any = create("unet", upsampling="unpool").eval()
    joined: list[torch.Tensor] = []
    for join in net.decoder:
        join.convs.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))
    with torch.inference_mode():
        images = torch.randn(1, 3, height, width)
        net(images)
        maps = net.features(images)
    for both, skip in zip(joined, reversed(maps[:-1]), strict=True):
        channels = skip.shape[1]
        assert torch.equal(both[:, :channels], skip)
        unpooled = both[:, channels:]
        pooled, positions = max_pool2d(skip, 2, return_indices=True)
        whole = unpooled[:, :, : 2 * pooled.shape[2], : 2 * pooled.shape[3]]
        maxima = max_unpool2d(torch.ones_like(pooled), positions, [2, 2], output_size=skip.shape[2:])
        assert not whole[maxima[:, :, : whole.shape[2], : whole.shape[3]] == 0].any()
        assert whole.any()


def test_a_net_of_each_upsampling_has_other_parameters_and_the_same_encoder() -> None:
    with torch.device("meta"):
        nets = {up: create("unet_resnet20_cifar", upsampling=up, num_classes=3) for up in UPSAMPLINGS}
    parameters = {up: sum(p.numel() for p in net.parameters()) for up, net in nets.items()}
    assert len(set(parameters.values())) == 3
    encoders = [{name for name, _ in net.named_parameters() if name.startswith("encoder.")} for net in nets.values()]
    assert encoders[0] == encoders[1] == encoders[2]


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
        "`upsampling`: expected nearest, unpool or transposed; got 'transpose'. Did you mean `transposed`?"
    )


def test_an_encoder_needs_features() -> None:
    with pytest.raises(UsageError) as caught:
        UNet(nn.Linear(2, 2))
    assert str(caught.value) == "`encoder`: expected a net with `features`; got Linear. Try one of the catalogue."


def test_any_net_of_the_catalogue_by_its_name() -> None:
    with torch.device("meta"):
        net: Any = create("unet_mobilenet_v1", width=0.25, upsampling="nearest", num_classes=4)
    assert isinstance(net, UNet)
    assert net.features(torch.empty(1, 3, 64, 64, device="meta"))[-1].shape[1] == 256


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("unet_resnet81", {}, "`resnet81`: expected the name of a net. Did you mean `resnet18`?"),
        ("unet_resnet18", {"wdith": 1}, "`resnet18`: expected an argument that it takes; got `wdith`."),
        ("unett", {}, "`unett`: expected the name of a net. Did you mean `unet`?"),
    ],
)
def test_what_is_not_known_is_named(name: str, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        create(name, **arguments)
    assert str(caught.value).startswith(sentence)
