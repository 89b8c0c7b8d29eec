import torch
from torch import nn
from torch.nn.functional import max_pool2d, max_unpool2d

from striate.nets.segnet import SegNet


def test_26_convolutions_of_which_the_decoder_mirrors_the_encoder() -> None:
    with torch.device("meta"):
        net = SegNet()
    ways = [
        [(m.in_channels, m.out_channels) for m in part.modules() if isinstance(m, nn.Conv2d)]
        for part in (net.encoder, net.decoder)
    ]
    down, up = ways[0], [*ways[1], (net.classifier.in_channels, net.classifier.out_channels)]
    assert len(down) == len(up) == 13
    assert [(b, a) for a, b in reversed(up)][1:] == down[1:]
    assert down[0][0] == 3
    assert up[-1][1] == 12


def test_the_encoder_has_the_papers_fourteen_million_parameters() -> None:
    with torch.device("meta"):
        net = SegNet()
    assert round(sum(p.numel() for p in net.encoder.parameters()) / 1e6, 1) == 14.7  # sec. 3


def test_each_stage_takes_over_where_the_maxima_were() -> None:
    net = SegNet().eval()
    seen = []
    for layers in net.decoder:
        layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        images = torch.randn(1, 3, 67, 85)
        assert net(images).shape == (1, 12, 67, 85)
        maps = net.features(images)
    for unpooled, c in zip(seen, reversed(maps), strict=True):
        pooled, positions = max_pool2d(c, 2, return_indices=True)
        maxima = max_unpool2d(torch.ones_like(pooled), positions, (2, 2), output_size=c.shape[2:])
        assert unpooled.shape == c.shape
        assert unpooled.any()
        assert not unpooled[maxima == 0].any()
    deepest, c5 = seen[0], maps[-1]
    assert torch.equal(deepest[deepest != 0], c5[deepest != 0])
