"""Who names and lays out tensors how: each known layout by name, with the function that makes it ours."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from striate.errors import UsageError, WeightsError, nearest
from striate.files import list_names
from striate.weights.convert import (
    KERAS_EPSILON,
    blocks,
    from_caffe,
    from_keras,
    renamed,
    renamed_known,
    strip_prefix,
    with_linear_head,
)
from striate.weights.keras_layouts import (
    MOBILENET_V1_NETS,
    MOBILENET_V2_NETS,
    RESNET_EPSILON,
    RESNET_NETS,
    in_order,
    keras_inception_resnet_v2,
    keras_inception_v3,
    keras_mobilenet_v1,
    keras_mobilenet_v1_folded,
    keras_mobilenet_v2,
    keras_resnet,
    keras_resnet50_branches,
    keras_vgg,
)

Tensors = Mapping[str, Tensor]
CENTRED = (0.5,), (0.5,)  # x / 127.5 - 1
CAFFE = (123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,)  # keras/src/applications/imagenet_utils.py


@dataclass(frozen=True)
class Layout:
    """One way to name and lay out tensors."""

    what: str
    """Whose, in words."""

    convert: Callable[[Tensors], dict[str, Tensor]]
    """A dict with our names and layouts of a dict with theirs."""

    epsilon: float | None = None
    """Of its batch norms; None where it is the net's own."""

    mean_and_std: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Of the images that its networks see, of each channel or of all, where nothing else is known."""

    blue_first: bool = False
    """Whether its networks see blue, green and red, and are turned to red, green and blue."""

    nets: tuple[str, ...] = ()
    """Of which it is, where others compute something else from tensors of the same names; any unless given."""

    in_order: bool = False
    """Whether its names say nothing but an order, so that only a net can name its tensors."""

    def read(self, tensors: Tensors, net: nn.Module | None = None) -> dict[str, Tensor]:
        """Our names and layouts for theirs; where the names say an order alone, those of `net`.

        Raises:
            WeightsError: they are not named as this layout does.
        """
        converted = self.convert(tensors)
        return in_order(net, converted) if self.in_order and net is not None else converted


MOBILENET_V2_BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # Sandler et al. 2018, arXiv:1801.04381, table 2
EFFICIENTNET_BLOCKS = (1, 2, 2, 3, 3, 4, 1)  # Tan and Le 2019, arXiv:1905.11946, table 1


def mobilenet_v2_layers() -> dict[str, str]:
    """timm's name of each layer of MobileNet v2 and ours, which is torchvision's."""
    layers = {"conv_stem": "features.0.0", "bn1": "features.0.1", "conv_head": "features.18.0", "bn2": "features.18.1"}
    layers["classifier"] = "classifier.1"
    for number, stage, place in blocks(MOBILENET_V2_BLOCKS):
        theirs, ours = f"blocks.{stage}.{place}", f"features.{number + 1}.conv"
        *convs, last = ("conv_dw", "conv_pw") if number == 0 else ("conv_pw", "conv_dw", "conv_pwl")
        for i, conv in enumerate(convs):  # each in one module with its norm
            layers |= {f"{theirs}.{conv}": f"{ours}.{i}.0", f"{theirs}.bn{i + 1}": f"{ours}.{i}.1"}
        i = len(convs)  # the last is not followed by an activation, and stands with its norm in the block
        layers |= {f"{theirs}.{last}": f"{ours}.{i}", f"{theirs}.bn{i + 1}": f"{ours}.{i + 1}"}
    return layers


def efficientnet_lite0_layers() -> dict[str, str]:
    """EfficientNet-PyTorch's name of each layer of EfficientNet-Lite0 and ours, which is timm's."""
    layers = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    for number, stage, place in blocks(EFFICIENTNET_BLOCKS):
        theirs, ours = f"_blocks.{number}", f"blocks.{stage}.{place}"
        if number:
            convs = {"_expand_conv": "conv_pw", "_depthwise_conv": "conv_dw", "_project_conv": "conv_pwl"}
            norms = {"_bn0": "bn1", "_bn1": "bn2", "_bn2": "bn3"}
        else:  # the first block does not expand
            convs = {"_depthwise_conv": "conv_dw", "_project_conv": "conv_pw"}
            norms = {"_bn1": "bn1", "_bn2": "bn2"}
        layers |= {f"{theirs}.{layer}": f"{ours}.{name}" for layer, name in (convs | norms).items()}
    return layers


def caffe_lenet(tensors: Tensors) -> dict[str, Tensor]:
    """Caffe's LeNet, whose two linear layers it calls inner products."""
    return renamed(from_caffe(tensors), {"conv1": "conv1", "conv2": "conv2", "ip1": "fc1", "ip2": "fc2"})


def timm_vgg(tensors: Tensors) -> dict[str, Tensor]:
    """timm's VGG, whose first two linear layers are convolutions."""
    layers = {f"features.{i}": f"features.{i}" for i in range(53)}  # vgg19_bn has 53
    layers |= {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
    return with_linear_head(renamed_known(tensors, layers), "classifier")


def timm_mobilenet_v2(tensors: Tensors) -> dict[str, Tensor]:
    """timm's MobileNet v2 of width 1."""
    return renamed_known(tensors, mobilenet_v2_layers())


def efficientnet_pytorch(tensors: Tensors) -> dict[str, Tensor]:
    """EfficientNet-PyTorch's EfficientNet-Lite0."""
    return renamed_known(tensors, efficientnet_lite0_layers())


RESNET_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4", "9": "fc"}
FEATURES_CHILDREN = {"0": "features", "1": "classifier", "2": "classifier"}  # of VGG with a pooling between, else not


def _by_number(tensors: Tensors, children: Mapping[str, str], first: str) -> dict[str, Tensor]:
    """Tensors of `nn.Sequential(*net.children())`, whose parts are numbered; what follows the net keeps its name."""
    if first not in tensors:
        raise WeightsError(f"names: expected children by number, such as {first}; got {list_names(tensors)}.")
    parts = {name: name.partition(".") for name in tensors}
    return {f"{children.get(part, part)}.{rest}": tensors[name] for name, (part, _, rest) in parts.items()}


def numbered_resnet(tensors: Tensors) -> dict[str, Tensor]:
    """torchvision's ResNet as `nn.Sequential` of its children, or of the first of them."""
    return _by_number(tensors, RESNET_CHILDREN, "0.weight")


def numbered_features(tensors: Tensors) -> dict[str, Tensor]:
    """torchvision's nets of `features` and `classifier` as `nn.Sequential` of these, or of the first."""
    first = next((name for name in tensors if name.startswith("0.0.")), "0.0.weight")
    return _by_number(tensors, FEATURES_CHILDREN, first)


def fastai_resnet(tensors: Tensors) -> dict[str, Tensor]:
    """fastai's ResNet: torchvision's without its last two children, numbered, as `0`, and a head of its own as `1`."""
    body = {name.removeprefix("0."): tensor for name, tensor in tensors.items() if name.startswith("0.")}
    head = {name: tensor for name, tensor in tensors.items() if not name.startswith("0.")}
    return numbered_resnet(body) | head


def transformers_resnet(tensors: Tensors) -> dict[str, Tensor]:
    """The ResNet of Hugging Face's transformers."""
    rules = (
        (r"(resnet\.)?embedder\.embedder\.", ""),
        (r"(resnet\.)?encoder\.stages\.(\d+)\.layers\.", lambda found: f"layer{int(found[2]) + 1}."),
        (r"shortcut\.convolution", "downsample.0"),
        (r"shortcut\.normalization", "downsample.1"),
        (r"layer\.(\d+)\.convolution", lambda found: f"conv{int(found[1]) + 1}"),
        (r"layer\.(\d+)\.normalization", lambda found: f"bn{int(found[1]) + 1}"),
        (r"^convolution", "conv1"),
        (r"^normalization", "bn1"),
        (r"^classifier\.1\.", "fc."),
    )
    new = {}
    for name, tensor in tensors.items():
        short = name
        for pattern, put in rules:
            short = re.sub(pattern, put, short, count=1)
        new[short] = tensor
    return new


def timm(tensors: Tensors) -> dict[str, Tensor]:
    """timm's, for a net timm/NAME, which holds timm's model as `model`."""
    return {f"model.{name}": tensor for name, tensor in tensors.items()}


LAYOUTS = {
    "striate": Layout("ours: torchvision's where it has the net, else timm's", dict),
    "module": Layout("ours, with `module.` before each name", strip_prefix),
    "keras": Layout("Keras' tensors, under our layers' names", from_keras, KERAS_EPSILON),
    "keras_numbered": Layout(
        "Keras' tensors of layers that are named by class and number", from_keras, KERAS_EPSILON, in_order=True
    ),
    "keras_mobilenet_v1": Layout(
        "Keras' MobileNet v1", keras_mobilenet_v1, KERAS_EPSILON, CENTRED, nets=MOBILENET_V1_NETS
    ),
    "keras_mobilenet_v1_folded": Layout(
        "Keras' MobileNet v1, batch norm folded into the bias",
        keras_mobilenet_v1_folded,
        KERAS_EPSILON,
        CENTRED,
        nets=MOBILENET_V1_NETS,
    ),
    "keras_mobilenet_v2": Layout(
        "Keras' MobileNet v2", keras_mobilenet_v2, KERAS_EPSILON, CENTRED, nets=MOBILENET_V2_NETS
    ),
    "keras_vgg": Layout("Keras' VGG", keras_vgg, KERAS_EPSILON, CAFFE, blue_first=True),
    "keras_resnet": Layout("Keras' ResNet", keras_resnet, RESNET_EPSILON, CAFFE, blue_first=True, nets=RESNET_NETS),
    "keras_resnet50_branches": Layout(
        "Keras' ResNet50 until Keras 2.3",
        keras_resnet50_branches,
        KERAS_EPSILON,
        CAFFE,
        blue_first=True,
        nets=RESNET_NETS[:1],
    ),
    "keras_inception_v3": Layout(
        "Keras' Inception v3", keras_inception_v3, KERAS_EPSILON, CENTRED, nets=("inception_v3_tf",)
    ),
    "keras_inception_resnet_v2": Layout(
        "Keras' Inception-ResNet v2", keras_inception_resnet_v2, KERAS_EPSILON, CENTRED
    ),
    "caffe": Layout("Caffe's tensors, under our layers' names", from_caffe),
    "caffe_lenet": Layout("Caffe's LeNet", caffe_lenet),
    "timm_vgg": Layout("timm's VGG", timm_vgg),
    "timm_mobilenet_v2": Layout("timm's MobileNet v2", timm_mobilenet_v2),
    "timm": Layout("timm's, for a net timm/NAME", timm),
    "fastai_resnet": Layout("fastai's ResNet, without its head", fastai_resnet),
    "numbered_resnet": Layout("torchvision's ResNet, its children numbered", numbered_resnet),
    "numbered_features": Layout("torchvision's nets of features and a classifier, numbered", numbered_features),
    "transformers_resnet": Layout("the ResNet of Hugging Face's transformers", transformers_resnet),
    "efficientnet_pytorch": Layout(
        "EfficientNet-PyTorch's EfficientNet-Lite0", efficientnet_pytorch, mean_and_std=CENTRED
    ),
}


def layout_named(name: str) -> Layout:
    """One of `LAYOUTS`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in LAYOUTS:
        raise UsageError(f"`layout`: expected one of {', '.join(LAYOUTS)}; got `{name}`. {nearest(name, LAYOUTS)}")
    return LAYOUTS[name]
