"""The networks of Keras Applications, and networks whose layers Keras named by their class and number, as ours.

Source: keras/src/applications of keras-team/keras 3.15. With random weights the networks here give the logits of those
there (`tests/weights/test_keras_itself.py`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from striate.errors import WeightsError
from striate.files import list_names
from striate.weights.convert import blocks, from_keras, is_keras, renamed_known, unfold_batch_norm, with_linear_head
from striate.weights.keras_order import BRANCHES, NUMBERED

Tensors = Mapping[str, Tensor]

MOBILENET_V1_BLOCKS = (1, 2, 2, 6, 2)  # a stage; Howard et al. 2017, arXiv:1704.04861, table 1, parted at each stride
MOBILENET_V2_BLOCKS = 17  # Sandler et al. 2018, arXiv:1801.04381, table 2
VGG_CONV = re.compile(r"block(\d)_conv(\d)")
RESNET_LAYER = re.compile(r"conv([2-5])_block(\d+)_([0-3])_(conv|bn)")
MOBILENET_V1_NETS = ("mobilenet_v1", *(f"mobilenet_v1_{width}" for width in ("100", "075", "050", "025")))
MOBILENET_V2_NETS = tuple(f"mobilenet_v2_tf_{width}" for width in ("100", "035", "050", "075", "130", "140"))
RESNET_NETS = ("resnet50_v1", "resnet101_v1", "resnet152_v1")
RESNET_EPSILON = 1.001e-5  # of its batch norms
BRANCH_NUMBERS = ("1", "2a", "2b", "2c")  # by today's, of ResNet50


def mobilenet_v1_layers() -> dict[str, str]:
    """Keras' name of each layer of MobileNet v1 and ours, which is timm's."""
    layers = {"conv1": "conv_stem", "conv1_bn": "bn1", "conv_preds": "classifier"}
    for number, stage, place in blocks(MOBILENET_V1_BLOCKS):
        for kind, norm in (("dw", "bn1"), ("pw", "bn2")):
            theirs, block = f"conv_{kind}_{number + 1}", f"blocks.{stage}.{place}"
            layers |= {theirs: f"{block}.conv_{kind}", f"{theirs}_bn": f"{block}.{norm}"}
    return layers


def mobilenet_v2_layers() -> dict[str, str]:
    """Keras' name of each layer of MobileNet v2 and ours, which is torchvision's."""
    layers = {"Conv1": "features.0.0", "bn_Conv1": "features.0.1", "predictions": "classifier.1"}
    layers |= {"Conv_1": "features.18.0", "Conv_1_bn": "features.18.1", "Logits": "classifier.1"}  # until Keras 2.4
    for number in range(MOBILENET_V2_BLOCKS):
        theirs, ours = (f"block_{number}" if number else "expanded_conv"), f"features.{number + 1}.conv"
        for place, conv in enumerate(("expand", "depthwise") if number else ("depthwise",)):
            layers |= {f"{theirs}_{conv}": f"{ours}.{place}.0", f"{theirs}_{conv}_BN": f"{ours}.{place}.1"}
        place = 2 if number else 1  # the last is not followed by an activation, and stands with its norm in the block
        layers |= {f"{theirs}_project": f"{ours}.{place}", f"{theirs}_project_BN": f"{ours}.{place + 1}"}
    return layers


def vgg_layers(names: Iterable[str]) -> dict[str, str]:
    """Keras' name of each layer of a VGG and ours, which is torchvision's; `names` are those of its layers."""
    convs = sorted(name for name in set(names) if VGG_CONV.fullmatch(name))
    layers = {"fc1": "classifier.0", "fc2": "classifier.3", "predictions": "classifier.6"}
    place, block = 0, "1"
    for name in convs:
        [(of, _)] = VGG_CONV.findall(name)
        place += of != block  # of the pooling between
        block = of
        layers[name] = f"features.{place}"
        place += 2  # of the convolution and its activation
    return layers


def resnet_layers(names: Iterable[str]) -> dict[str, str]:
    """Keras' name of each layer of a ResNet and ours, which is torchvision's; `names` are those of its layers."""
    layers = {"conv1_conv": "conv1", "conv1_bn": "bn1", "predictions": "fc"}
    for name in names:
        if found := RESNET_LAYER.fullmatch(name):
            stage, block, number, kind = found.groups()
            inside = f"{kind}{number}" if number != "0" else f"downsample.{int(kind == 'bn')}"
            layers[name] = f"layer{int(stage) - 1}.{int(block) - 1}.{inside}"
    return layers


def resnet50_branches(names: Iterable[str]) -> dict[str, str]:
    """Today's name of each layer of Keras' ResNet50 as it was until Keras 2.3; `names` are those of its layers."""
    layers = {"conv1": "conv1_conv", "bn_conv1": "conv1_bn", "fc1000": "predictions"}
    for name in names:
        if found := BRANCHES.fullmatch(name):
            kind, stage, block, branch = found.groups()
            number = BRANCH_NUMBERS.index(branch)
            layers[name] = f"conv{stage}_block{ord(block) - ord('a') + 1}_{number}_{'conv' if kind == 'res' else 'bn'}"
    return layers


def inception_v3_layers(names: Iterable[str]) -> dict[str, str]:
    """Keras' name of each layer of Inception v3 and ours, which is torchvision's; `names` are those of its layers."""
    a = ("1x1", "5x5_1", "5x5_2", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3", "_pool")
    b = ("1x1", "7x7_1", "7x7_2", "7x7_3", *(f"7x7dbl_{i}" for i in (1, 2, 3, 4, 5)), "_pool")
    c = ("1x1", "3x3_1", "3x3_2a", "3x3_2b", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3a", "3x3dbl_3b", "_pool")
    parts: dict[str, tuple[str, ...]] = dict.fromkeys(("5b", "5c", "5d"), a)
    parts["6a"] = ("3x3", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3")
    parts |= dict.fromkeys(("6b", "6c", "6d", "6e"), b)
    parts["7a"] = ("3x3_1", "3x3_2", *(f"7x7x3_{i}" for i in (1, 2, 3, 4)))
    parts |= dict.fromkeys(("7b", "7c"), c)
    ours = [f"Conv2d_{name}" for name in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")]
    ours += [f"Mixed_{name}.branch{branch}" for name, branches in parts.items() for branch in branches]
    return {"predictions": "fc"} | _by_number(names, ours)


def inception_resnet_v2_layers(names: Iterable[str]) -> dict[str, str]:
    """Keras' name of each layer of Inception-ResNet v2 and ours, which is timm's; `names` are those of its layers."""
    layers = {"predictions": "classif", "conv_7b": "conv2d_7b.conv", "conv_7b_bn": "conv2d_7b.bn"}
    ours = [f"conv2d_{name}" for name in ("1a", "2a", "2b", "3b", "4a")]
    ours += [f"mixed_5b.branch{name}" for name in ("0", "1.0", "1.1", "2.0", "2.1", "2.2", "3.1")]
    residual = ("0", "1.0", "1.1", "1.2")  # of the last two kinds of blocks
    for kind, part, count, branches in (
        ("block35", "repeat", 10, ("0", "1.0", "1.1", "2.0", "2.1", "2.2")),
        ("block17", "repeat_1", 20, residual),
        ("block8", "repeat_2", 10, residual),
    ):
        for number in range(count):
            block = "block8" if (kind, number) == ("block8", 9) else f"{part}.{number}"
            ours += [f"{block}.branch{name}" for name in branches]
            layers[f"{kind}_{number + 1}_conv"] = f"{block}.conv2d"
        if kind == "block35":
            ours += [f"mixed_6a.branch{name}" for name in ("0", "1.0", "1.1", "1.2")]
        elif kind == "block17":
            ours += [f"mixed_7a.branch{name}" for name in ("0.0", "0.1", "1.0", "1.1", "2.0", "2.1", "2.2")]
    return layers | _by_number(names, ours)


def _by_number(names: Iterable[str], ours: Sequence[str]) -> dict[str, str]:
    """Convolutions and batch norms that Keras has numbered, as those of our blocks of both, in the same order.

    Keras counts on from network to network; what comes after these blocks keeps its name.
    """
    layers: dict[str, str] = {}
    for kind, leaf in (("conv2d", "conv"), ("batch_normalization", "bn")):
        found = [found for found in map(NUMBERED.fullmatch, names) if found and found[1] == kind]
        theirs = [each[0] for each in sorted(found, key=lambda each: int(each[2] or 0))]
        layers |= {name: f"{block}.{leaf}" for name, block in zip(theirs, ours, strict=False)}
    return layers


def _of_keras(tensors: Tensors) -> dict[str, Tensor]:
    """Keras' tensors under PyTorch's names and layouts; those of layers that no network here has keep their names."""
    theirs = {name: tensor for name, tensor in tensors.items() if is_keras(name, tensor)}
    return {name: tensor for name, tensor in tensors.items() if name not in theirs} | from_keras(theirs)


def _layers(tensors: Tensors) -> set[str]:
    return {name.rpartition(".")[0] for name in tensors}


def _red_first(tensors: Tensors, first: str) -> dict[str, Tensor]:
    """Tensors of a network that sees blue, green and red, in this order, as of one that sees red first."""
    weight = tensors.get(f"{first}.weight")
    if weight is None or weight.ndim != 4 or weight.shape[1] != 3:
        return dict(tensors)
    return {**tensors, f"{first}.weight": weight.flip(1)}


def _without_biases(tensors: Tensors) -> dict[str, Tensor]:
    """Tensors of which the bias of each convolution is taken off the mean of the batch norm behind it."""
    new = dict(tensors)
    for name in tensors:
        if not name.endswith("conv.bias"):
            continue
        mean = f"{name.removesuffix('conv.bias')}bn.running_mean"
        if mean in tensors and tensors[mean].shape == tensors[name].shape:
            new[mean] = tensors[mean] - new.pop(name)
    return new


def keras_mobilenet_v1(tensors: Tensors) -> dict[str, Tensor]:
    """Keras Applications' MobileNet v1, of any width."""
    return with_linear_head(renamed_known(_of_keras(tensors), mobilenet_v1_layers()), "classifier")


def keras_mobilenet_v1_folded(tensors: Tensors) -> dict[str, Tensor]:
    """The same with each batch norm folded into the bias of its convolution."""
    norm_of = {name: f"{name}_bn" for name in mobilenet_v1_layers() if f"{name}_bn" in mobilenet_v1_layers()}
    unfolded = unfold_batch_norm(_of_keras(tensors), norm_of)
    return with_linear_head(renamed_known(unfolded, mobilenet_v1_layers()), "classifier")


def keras_mobilenet_v2(tensors: Tensors) -> dict[str, Tensor]:
    """Keras Applications' MobileNet v2, of any width."""
    return renamed_known(_of_keras(tensors), mobilenet_v2_layers())


def keras_vgg(tensors: Tensors) -> dict[str, Tensor]:
    """Keras Applications' VGG, which sees blue, green and red."""
    ours = _of_keras(tensors)
    return _red_first(renamed_known(ours, vgg_layers(_layers(ours))), "features.0")


def keras_resnet(tensors: Tensors) -> dict[str, Tensor]:
    """Keras Applications' ResNet of the first version, which sees blue, green and red, and has biases before norms."""
    return _resnet(_of_keras(tensors))


def _resnet(tensors: Tensors) -> dict[str, Tensor]:
    ours = _without_biases(tensors)
    return _red_first(renamed_known(ours, resnet_layers(_layers(ours))), "conv1")


def keras_resnet50_branches(tensors: Tensors) -> dict[str, Tensor]:
    """ResNet50 under the names that Keras Applications gave its layers at first, such as res2a_branch2a."""
    theirs = _of_keras(tensors)
    names = _layers(theirs)
    if not any(map(BRANCHES.fullmatch, names)):
        raise WeightsError(f"names: expected layers such as res2a_branch2a; got {list_names(sorted(names))}.")
    return _resnet(renamed_known(theirs, resnet50_branches(names)))


def keras_inception_v3(tensors: Tensors) -> dict[str, Tensor]:
    """Keras Applications' Inception v3."""
    ours = _of_keras(tensors)
    return renamed_known(ours, inception_v3_layers(_layers(ours)))


def keras_inception_resnet_v2(tensors: Tensors) -> dict[str, Tensor]:
    """Keras Applications' Inception-ResNet v2."""
    ours = _of_keras(tensors)
    return renamed_known(ours, inception_resnet_v2_layers(_layers(ours)))


def in_order(net: nn.Module, tensors: Tensors) -> dict[str, Tensor]:
    """Tensors of layers that Keras named by class and number, under the names of a net's layers in the same order.

    Args:
        net: whose n-th convolution, depthwise convolution, batch norm and linear layer shall be Keras' n-th.
        tensors: as `from_keras` gives them.

    Raises:
        WeightsError: a layer has another name, or the net has fewer of its class.
    """
    parted = {name: NUMBERED.fullmatch(name.rpartition(".")[0]) for name in tensors}
    others = sorted(name for name, found in parted.items() if found is None)
    if others:
        raise WeightsError(f"names: expected Keras' own, such as conv2d_1 and dense; got {list_names(others)}.")
    theirs = sorted({(found[1], int(found[2] or 0), found[0]) for found in parted.values() if found})
    own: dict[str, list[str]] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            own.setdefault("conv2d" if module.groups == 1 else "depthwise_conv2d", []).append(name)
        elif isinstance(module, nn.BatchNorm2d | nn.Linear):
            own.setdefault("dense" if isinstance(module, nn.Linear) else "batch_normalization", []).append(name)
    layers: dict[str, str] = {}
    for kind, _, name in theirs:
        if not own.get(kind):
            raise WeightsError(f"names: expected no more layers of a class than the network has; got also {name}.")
        layers[name] = own[kind].pop(0)
    return renamed_known(tensors, layers)
