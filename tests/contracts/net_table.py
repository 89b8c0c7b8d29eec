"""One row a net of the catalogue: what the tests of this folder hold each of them to.

`input` is what the quick tests feed, no larger than it needs to be; golden entries bring the published size.
"""

from dataclasses import dataclass

import pytest


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
    golden: tuple[str, ...] = ()  # keys of tests/golden/nets.json.gz
    fixed_size: bool = False  # a linear layer fixes H and W to `image_size`
    per_pixel: bool = False  # logits are (N, classes, H, W) instead of (N, classes)
    settled: bool = False  # so deep that without statistics its values overflow: batch norm sees the images first
    bfloat16_error: float = 0.1  # of its logits, relative
    over_another: bool = False  # whether it also takes what the net takes that it is made over

    def logits_shape(self, number: int, classes: int, height: int, width: int) -> tuple[int, ...]:
        """Of `number` images of that size."""
        return (number, classes, height, width) if self.per_pixel else (number, classes)


BASIC = ((64, 32), (64, 16), (128, 8), (256, 4), (512, 2))
BOTTLENECK = ((64, 32), (256, 16), (512, 8), (1024, 4), (2048, 2))
GOOGLENET = ((64, 32), (192, 16), (480, 8), (832, 4), (1024, 2))
INCEPTION = ((64, 51), (192, 23), (288, 11), (768, 5), (2048, 2))
INCEPTION_RESNET = ((64, 51), (192, 23), (320, 11), (1088, 5), (1536, 2))
MOBILENET_V1 = ((64, 32), (128, 16), (256, 8), (512, 4), (1024, 2))
MOBILENET_V2 = ((16, 32), (24, 16), (32, 8), (96, 4), (1280, 2))
MOBILENET_V2_035 = ((8, 32), (8, 16), (16, 8), (32, 4), (1280, 2))
MOBILENET_V2_050 = ((8, 32), (16, 16), (16, 8), (48, 4), (1280, 2))
MOBILENET_V2_075 = ((16, 32), (24, 16), (24, 8), (72, 4), (1280, 2))
MOBILENET_V2_130 = ((24, 32), (32, 16), (40, 8), (128, 4), (1664, 2))
MOBILENET_V2_140 = ((24, 32), (32, 16), (48, 8), (136, 4), (1792, 2))
EFFICIENTNET_LITE0 = ((16, 32), (24, 16), (40, 8), (112, 4), (1280, 2))
VGG = ((64, 32), (128, 16), (256, 8), (512, 4), (512, 2), (512, 1))
ALEXNET = ((64, 15), (192, 7), (256, 3), (256, 1))
ALEXNET_PAPER = ((96, 55), (256, 27), (256, 13), (256, 6))
SQUEEZENET_1_0 = ((96, 29), (256, 14), (512, 7), (512, 3))
SQUEEZENET_1_1 = ((64, 31), (128, 15), (256, 7), (512, 3))
MOBILENET_V1_075 = ((48, 32), (96, 16), (192, 8), (384, 4), (768, 2))
MOBILENET_V1_050 = ((32, 32), (64, 16), (128, 8), (256, 4), (512, 2))
MOBILENET_V1_025 = ((16, 32), (32, 16), (64, 8), (128, 4), (256, 2))
FCN_HEADS = ("score", "skip_scores", "doublings", "upsample")
CIFAR = ((16, 16), (32, 8), (64, 4))
VGG_BODY = ((64, 32), (128, 16), (256, 8), (512, 4), (512, 2))
SEGNET = ((64, 64), (128, 32), (256, 16), (512, 8), (512, 4))
UNET = ((64, 32), (128, 16), (256, 8), (512, 4), (1024, 2))

NETS = (
    Net("lenet5", (1, 32, 32), 32, 10, 61_706, ((6, 28), (6, 14), (16, 10), (16, 5)), ("fc3",), fixed_size=True),
    Net("lenet5_notes", (3, 32, 32), 32, 10, 62_958, ((8, 28), (8, 14), (16, 10), (16, 5)), ("fc3",), fixed_size=True),
    Net("lenet_caffe", (1, 28, 28), 28, 10, 431_080, ((20, 24), (20, 12), (50, 8), (50, 4)), ("fc2",), fixed_size=True),
    Net("convnet39", (3, 39, 39), 39, 10, 44_950, ((10, 37), (20, 17), (40, 7)), ("fc",), fixed_size=True),
    Net("resnet18", (3, 64, 64), 224, 1000, 11_689_512, BASIC, ("fc",), ("resnet18",)),
    Net("headed", (3, 64, 64), 224, 1000, 11_689_512, BASIC, ("classifier",), over_another=True),
    Net("locator", (3, 64, 64), 224, 1004, 11_722_284, BASIC, ("locate",), over_another=True),
    Net("resnet34", (3, 64, 64), 224, 1000, 21_797_672, BASIC, ("fc",), ("resnet34",)),
    Net("resnet50", (3, 64, 64), 224, 1000, 25_557_032, BOTTLENECK, ("fc",), ("resnet50", "timm.resnet50 at 97x129")),
    Net("resnet101", (3, 64, 64), 224, 1000, 44_549_160, BOTTLENECK, ("fc",), ("resnet101",)),
    Net("resnet152", (3, 64, 64), 224, 1000, 60_192_808, BOTTLENECK, ("fc",), ("resnet152",)),
    Net("resnet50_v1", (3, 64, 64), 224, 1000, 25_557_032, BOTTLENECK, ("fc",)),
    Net("resnet101_v1", (3, 64, 64), 224, 1000, 44_549_160, BOTTLENECK, ("fc",)),
    Net("resnet152_v1", (3, 64, 64), 224, 1000, 60_192_808, BOTTLENECK, ("fc",)),
    Net("googlenet", (3, 64, 64), 224, 1000, 13_004_888, GOOGLENET, ("aux1", "aux2", "fc"), ("googlenet",)),
    Net("googlenet_paper", (3, 64, 64), 224, 1000, 13_378_280, GOOGLENET, ("aux1", "aux2", "fc")),
    Net("inception_v3", (3, 107, 107), 299, 1000, 27_161_264, INCEPTION, ("AuxLogits", "fc"), ("inception_v3",)),
    Net("inception_v3_tf", (3, 107, 107), 299, 1000, 27_161_264, INCEPTION, ("AuxLogits", "fc")),
    Net(
        "inception_resnet_v2",
        (3, 107, 107),
        299,
        1000,
        55_843_464,
        INCEPTION_RESNET,
        ("classif",),
        ("inception_resnet_v2",),
    ),
    Net("alexnet", (3, 64, 64), 224, 1000, 61_100_840, ALEXNET, ("classifier.6",), ("alexnet",)),
    Net("alexnet_paper", (3, 227, 227), 227, 1000, 60_965_224, ALEXNET_PAPER, ("fc8",), fixed_size=True),
    Net("alexnet_paper_ungrouped", (3, 227, 227), 227, 1000, 62_378_344, ALEXNET_PAPER, ("fc8",), fixed_size=True),
    Net("vgg11", (3, 32, 32), 224, 1000, 132_863_336, VGG, ("classifier.6",), ("vgg11",)),
    Net("vgg13", (3, 32, 32), 224, 1000, 133_047_848, VGG, ("classifier.6",), ("vgg13",)),
    Net("vgg16", (3, 32, 32), 224, 1000, 138_357_544, VGG, ("classifier.6",), ("vgg16",)),
    Net("vgg19", (3, 32, 32), 224, 1000, 143_667_240, VGG, ("classifier.6",), ("vgg19",)),
    Net("vgg11_bn", (3, 32, 32), 224, 1000, 132_868_840, VGG, ("classifier.6",), ("vgg11_bn",)),
    Net("vgg13_bn", (3, 32, 32), 224, 1000, 133_053_736, VGG, ("classifier.6",)),
    Net("vgg16_bn", (3, 32, 32), 224, 1000, 138_365_992, VGG, ("classifier.6",), ("vgg16_bn",)),
    Net("vgg19_bn", (3, 32, 32), 224, 1000, 143_678_248, VGG, ("classifier.6",)),
    Net("nin", (3, 80, 80), 224, 1000, 7_595_176, ((96, 18), (256, 9), (384, 4), (1024, 2)), ("classifier",)),
    Net("nin_cifar", (3, 32, 32), 32, 10, 966_986, ((96, 32), (192, 16), (192, 8)), ("classifier",)),
    Net("squeezenet1_0", (3, 64, 64), 224, 1000, 1_248_424, SQUEEZENET_1_0, ("classifier.1",), ("squeezenet1_0",)),
    Net("squeezenet1_1", (3, 64, 64), 224, 1000, 1_235_496, SQUEEZENET_1_1, ("classifier.1",), ("squeezenet1_1",)),
    Net("mobilenet_v1", (3, 64, 64), 224, 1000, 4_231_976, MOBILENET_V1, ("classifier",)),
    Net("mobilenet_v1_100", (3, 64, 64), 224, 1000, 4_231_976, MOBILENET_V1, ("classifier",)),
    Net("mobilenet_v1_075", (3, 64, 64), 224, 1000, 2_585_560, MOBILENET_V1_075, ("classifier",)),
    Net("mobilenet_v1_050", (3, 64, 64), 224, 1000, 1_331_592, MOBILENET_V1_050, ("classifier",)),
    Net("mobilenet_v1_025", (3, 64, 64), 224, 1000, 470_072, MOBILENET_V1_025, ("classifier",)),
    Net("mobilenetv1_100", (3, 64, 64), 224, 1000, 4_231_976, MOBILENET_V1, ("classifier",), ("mobilenetv1_100",)),
    Net("mobilenet_v2", (3, 64, 64), 224, 1000, 3_504_872, MOBILENET_V2, ("classifier.1",), ("mobilenet_v2",)),
    Net("mobilenet_v2_tf_035", (3, 64, 64), 224, 1000, 1_677_128, MOBILENET_V2_035, ("classifier.1",)),
    Net("mobilenet_v2_tf_050", (3, 64, 64), 224, 1000, 1_968_680, MOBILENET_V2_050, ("classifier.1",)),
    Net("mobilenet_v2_tf_075", (3, 64, 64), 224, 1000, 2_636_424, MOBILENET_V2_075, ("classifier.1",)),
    Net("mobilenet_v2_tf_100", (3, 64, 64), 224, 1000, 3_504_872, MOBILENET_V2, ("classifier.1",)),
    Net("mobilenet_v2_tf_130", (3, 64, 64), 224, 1000, 5_386_792, MOBILENET_V2_130, ("classifier.1",)),
    Net("mobilenet_v2_tf_140", (3, 64, 64), 224, 1000, 6_108_776, MOBILENET_V2_140, ("classifier.1",)),
    Net("efficientnet_lite0", (3, 64, 64), 224, 1000, 4_652_008, EFFICIENTNET_LITE0, ("classifier",)),
    Net("plain18", (3, 64, 64), 224, 1000, 11_515_688, BASIC, ("fc",)),
    Net("plain34", (3, 64, 64), 224, 1000, 21_623_848, BASIC, ("fc",)),
    Net("plain20_cifar", (3, 16, 16), 32, 10, 269_722, CIFAR, ("linear",)),
    Net("plain56_cifar", (3, 16, 16), 32, 10, 853_018, CIFAR, ("linear",)),
    Net("airbench94", (3, 32, 32), 32, 10, 1_972_792, ((64, 15), (256, 7), (256, 3)), ("linear",)),
    Net("resnet20_cifar", (3, 16, 16), 32, 10, 269_722, CIFAR, ("linear",)),
    Net("resnet32_cifar", (3, 16, 16), 32, 10, 464_154, CIFAR, ("linear",)),
    Net("resnet44_cifar", (3, 16, 16), 32, 10, 658_586, CIFAR, ("linear",)),
    Net("resnet56_cifar", (3, 16, 16), 32, 10, 853_018, CIFAR, ("linear",)),
    Net("resnet110_cifar", (3, 16, 16), 32, 10, 1_727_962, CIFAR, ("linear",)),
    Net(
        "resnet1202_cifar",
        (3, 16, 16),
        32,
        10,
        19_421_274,
        CIFAR,
        ("linear",),
        settled=True,
        bfloat16_error=0.2,  # which grows with depth
    ),
    Net("fcn32s", (3, 64, 64), 500, 21, 134_432_597, VGG_BODY, ("score", "upsample"), per_pixel=True),
    Net("fcn16s", (3, 64, 64), 500, 21, 134_379_194, VGG_BODY, FCN_HEADS, per_pixel=True),
    Net("fcn8s", (3, 64, 64), 500, 21, 134_368_799, VGG_BODY, FCN_HEADS, per_pixel=True),
    Net(
        "segnet",
        (3, 64, 64),
        360,
        12,
        29_449_932,
        SEGNET,
        ("classifier",),
        per_pixel=True,
        bfloat16_error=0.3,  # of two maxima that are alike, rounding picks either, and its place goes with it
    ),
    Net("unet", (3, 32, 32), 572, 2, 31_037_698, UNET, ("classifier",), per_pixel=True),
    Net("unet_resnet18", (3, 64, 64), 224, 2, 14_316_738, BASIC, ("classifier",), per_pixel=True, over_another=True),
    Net(
        "unet_efficientnet_lite0",
        (3, 64, 64),
        224,
        2,
        4_373_090,
        EFFICIENTNET_LITE0,
        ("classifier",),
        per_pixel=True,
        over_another=True,
    ),
)

LONG = {"resnet1202_cifar"}  # the layers of its shallower kin, many times
EACH = [pytest.param(row, id=row.name, marks=[pytest.mark.slow] if row.name in LONG else []) for row in NETS]
