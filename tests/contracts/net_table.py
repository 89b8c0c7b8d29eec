"""One row a net of the catalogue: what the tests of this folder hold each of them to.

`input` is what the quick tests feed, no larger than it needs to be; golden entries bring the published size.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Net:
    """What one net promises in numbers."""

    name: str
    input: tuple[int, int, int]  # (C, H, W), and C is the default of `in_channels`
    image_size: int  # that was published
    classes: int  # the default of `num_classes`
    parameters: int
    features: tuple[tuple[int, int], ...]  # (channels, H = W) of each map for `input`
    heads: tuple[str, ...]  # the modules that are in no stage
    golden: tuple[str, ...] = ()  # keys of ../shared/golden/nets.json
    fixed_size: bool = False  # a linear layer fixes H and W to `image_size`


BASIC = ((64, 32), (64, 16), (128, 8), (256, 4), (512, 2))
BOTTLENECK = ((64, 32), (256, 16), (512, 8), (1024, 4), (2048, 2))

NETS = (
    Net("lenet5", (1, 32, 32), 32, 10, 61_706, ((6, 28), (6, 14), (16, 10), (16, 5)), ("fc3",), fixed_size=True),
    Net("lenet5_notes", (3, 32, 32), 32, 10, 62_958, ((8, 28), (8, 14), (16, 10), (16, 5)), ("fc3",), fixed_size=True),
    Net("convnet39", (3, 39, 39), 39, 10, 44_950, ((10, 37), (20, 17), (40, 7)), ("fc",), fixed_size=True),
    Net("resnet18", (3, 64, 64), 224, 1000, 11_689_512, BASIC, ("fc",), ("resnet18",)),
    Net("resnet34", (3, 64, 64), 224, 1000, 21_797_672, BASIC, ("fc",), ("resnet34",)),
    Net("resnet50", (3, 64, 64), 224, 1000, 25_557_032, BOTTLENECK, ("fc",), ("resnet50", "timm.resnet50 at 97x129")),
    Net("resnet101", (3, 64, 64), 224, 1000, 44_549_160, BOTTLENECK, ("fc",), ("resnet101",)),
    Net("resnet152", (3, 64, 64), 224, 1000, 60_192_808, BOTTLENECK, ("fc",), ("resnet152",)),
)
