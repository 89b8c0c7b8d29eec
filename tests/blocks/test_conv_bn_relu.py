import torch

from striate.blocks import ConvBnRelu


def test_convolves_normalises_and_rectifies() -> None:
    block = ConvBnRelu(3, 4, (1, 3), stride=2, padding=(0, 1))
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    y = block.train()(x)
    raw = block.conv(x)
    mean, variance = raw.mean(dim=(0, 2, 3), keepdim=True), raw.var(dim=(0, 2, 3), keepdim=True, correction=0)
    assert y.shape == (2, 4, 4, 4)
    assert torch.allclose(y, ((raw - mean) / (variance + 1e-3).sqrt()).clamp(min=0), atol=1e-5)
    assert (y == 0).any()


def test_names_are_the_published_ones() -> None:
    names = ["conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"]
    assert list(ConvBnRelu(3, 4, 3).state_dict()) == names
