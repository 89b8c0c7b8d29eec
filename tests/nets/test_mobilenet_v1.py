import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from striate.errors import UsageError
from striate.nets import create
from striate.nets.mobilenet_v1 import DepthwiseSeparable, MobileNetV1


def test_a_block_is_a_filter_a_channel_and_then_a_mixture_of_channels() -> None:
    torch.manual_seed(0)
    block, x = DepthwiseSeparable(4, 6, 1, "same").eval(), 9 * torch.randn(2, 4, 5, 5)
    y = torch.cat([torch.conv2d(x[:, c : c + 1], block.conv_dw.weight[c : c + 1], padding=1) for c in range(4)], dim=1)
    y = block.bn1(y).clamp(0, 6)
    y = block.bn2(torch.einsum("nchw,oc->nohw", y, block.conv_pw.weight[:, :, 0, 0])).clamp(0, 6)
    torch.testing.assert_close(block(x), y)


@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_the_stem_stands_where_its_padding_says(padding: str) -> None:
    torch.manual_seed(0)
    net, images = MobileNetV1(width=0.25, padding=padding), torch.randn(1, 3, 8, 8)
    border = (0, 1, 0, 1) if padding == "same" else (1, 1, 1, 1)
    expected = torch.conv2d(pad(images, border), net.conv_stem.weight, stride=2)
    torch.testing.assert_close(net.conv_stem(images), expected)


def test_paddings_differ_on_even_images_alone_and_share_their_parameters() -> None:
    torch.manual_seed(0)
    same, symmetric = create("mobilenet_v1_025").eval(), create("mobilenet_v1_025", padding="symmetric").eval()
    symmetric.load_state_dict(same.state_dict())
    odd, even = torch.randn(1, 3, 33, 33), torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(same(odd), symmetric(odd))
    assert not torch.allclose(same(even), symmetric(even))


@pytest.mark.parametrize(("width", "channels"), [(0.1, [8, 12, 25, 51, 102]), (1.25, [80, 160, 320, 640, 1280])])
def test_any_width(width: float, channels: list[int]) -> None:
    with torch.device("meta"):
        net = MobileNetV1(width=width).eval()
    assert [x.shape[1] for x in net.features(torch.zeros(1, 3, 32, 32, device="meta"))] == channels


def test_initial_values() -> None:
    torch.manual_seed(0)
    net = MobileNetV1(num_classes=100)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2 // module.groups
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)
            assert module.bias is None
    assert 0.099 < net.classifier.weight.abs().max() <= 0.1
    assert net.classifier.bias.count_nonzero() == 0


@pytest.mark.parametrize(
    ("argument", "value", "sentence"),
    [
        ("width", 0.0, "`width`: expected a number above 0; got 0.0. Try 0.25, 0.5, 0.75 or 1.0."),
        ("padding", "sames", "`padding`: expected one of same, symmetric; got `sames`. Did you mean `same`?"),
    ],
)
def test_an_argument_out_of_range_is_refused(argument: str, value: object, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        create("mobilenet_v1", **{argument: value})
    assert str(caught.value) == sentence


def test_what_a_name_fixes_is_not_passed_again() -> None:
    with pytest.raises(UsageError, match="got `width`"):
        create("mobilenet_v1_050", width=1.0)
    with pytest.raises(UsageError, match="got `padding`"):
        create("mobilenetv1_100", padding="same")
