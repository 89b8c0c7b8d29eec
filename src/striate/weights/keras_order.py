"""Files of Keras 2 whose layers have other names than today's: Keras takes their layers in order, and so do we.

Keras Applications has renamed layers since it published their weights: in the files of MobileNet v2, for one, what is
`block_1_expand` now is called `mobl1_conv_1_expand`. Keras does not mind, since it goes through the layers of a file
and of a network side by side. Here the layers of a file are held against each of these networks by what tensors they
have, and get today's names; that every shape is right is seen when they go into the network.

Source: load_weights_from_hdf5_group of keras/src/legacy/saving/legacy_h5_format.py; the order is that of `model.layers`
in keras/src/models/functional.py: by the distance from the output, then as the inputs of a layer are listed.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from torch import Tensor

from striate.files import fit_to_print, list_names

Order = tuple[tuple[str, str], ...]  # the name and the kind of each layer that has weights
CONV, BIASED, NORM, SHIFT, DENSE = "conv", "conv with bias", "norm", "norm without gamma", "dense"
AFTER = (DENSE, NORM, SHIFT)  # what may follow a network without its own last layer
NUMBERED = re.compile(r"(conv2d|depthwise_conv2d|batch_normalization|dense)(?:_(\d+))?")  # where nobody named a layer
DIGITS = re.compile(r"[0-9]+")
DEPTHWISE = re.compile(r".*_depthwise|conv_dw_\d+")
BRANCHES = re.compile(r"(res|bn)([2-5])([a-z])_branch(1|2[abc])")  # of ResNet50 until Keras 2.3
OTHER_ORDER = "Its layers stand in another order than those of"
OTHER_NAMES = "Its layers have other names than those of"
MIXED = (  # of Inception v3, by branch: how many convolutions, in the order in which they were made
    *((1, 2, 3, 1),) * 3,
    (1, 3),
    *((1, 3, 5, 1),) * 4,
    (2, 4),
)
RESNETS = {"ResNet50": (3, 4, 6, 3), "ResNet101": (3, 4, 23, 3), "ResNet152": (3, 8, 36, 3)}


def _chain(names: Sequence[str], norm: str) -> list[tuple[str, str]]:
    """Convolutions, each with its norm behind it."""
    return [each for name in names for each in ((name, CONV), (norm.format(name), NORM))]


def _mobilenet_v1() -> Order:
    blocks = [f"conv_{kind}_{i}" for i in range(1, 14) for kind in ("dw", "pw")]
    return (*_chain(["conv1", *blocks], "{}_bn"), ("conv_preds", BIASED))


def _mobilenet_v2() -> Order:
    blocks = ["expanded_conv_depthwise", "expanded_conv_project"]
    blocks += [f"block_{i}_{conv}" for i in range(1, 17) for conv in ("expand", "depthwise", "project")]
    first, last = _chain(["Conv1"], "bn_{}"), _chain(["Conv_1"], "{}_bn")
    return (*first, *_chain(blocks, "{}_BN"), *last, ("predictions", DENSE))


def _resnet(counts: Sequence[int]) -> Order:
    layers = ["conv1_conv", "conv1_bn"]
    for stage, count in enumerate(counts, 2):
        for block in range(1, count + 1):
            shortcut = ("0_conv", "3_conv", "0_bn", "3_bn") if block == 1 else ("3_conv", "3_bn")
            inside = ("1_conv", "1_bn", "2_conv", "2_bn", *shortcut)
            layers += [f"conv{stage}_block{block}_{name}" for name in inside]
    return (*((name, BIASED if name.endswith("conv") else NORM) for name in layers), ("predictions", DENSE))


def _inception_v3() -> Order:
    """Convolutions and norms are numbered as they were made, and stand by how far they are from the block's end."""
    numbers = list(range(5))
    layers = [(name, i) for i in numbers for name in ("conv2d", "batch_normalization")]
    made = len(numbers)
    for branches in MIXED:
        far: list[tuple[int, int, str]] = []  # from the end, number, name
        for length in branches:
            for place in range(length):
                far += _at(3 * (length - place), made + place)
            made += length
        layers += [(name, number) for _, number, name in sorted(far, key=lambda each: (-each[0], each[1]))]
    for _ in range(2):  # the last blocks, two of whose branches part at their end
        far = [*_at(3, made), *_at(7, made + 1), *_at(4, made + 2), *_at(4, made + 3)]
        far += [*_at(10, made + 4), *_at(7, made + 5), *_at(4, made + 6), *_at(4, made + 7), *_at(3, made + 8)]
        made += 9
        layers += [(name, number) for _, number, name in sorted(far, key=lambda each: (-each[0], each[1]))]
    kinds = {"conv2d": CONV, "batch_normalization": SHIFT}
    return (*((f"{name}_{number}" if number else name, kinds[name]) for name, number in layers), ("predictions", DENSE))


def _at(far: int, number: int) -> list[tuple[int, int, str]]:
    """A convolution so far from the end of its block, and its norm."""
    return [(far, number, "conv2d"), (far - 1, number, "batch_normalization")]


@cache
def orders() -> Mapping[str, Order]:
    """The layers of networks of Keras Applications that have weights, in the order of `model.layers`."""
    return {
        "MobileNet": _mobilenet_v1(),
        "MobileNetV2": _mobilenet_v2(),
        "InceptionV3": _inception_v3(),
        **{name: _resnet(counts) for name, counts in RESNETS.items()},
    }


def _kind(tensors: Mapping[str, Tensor]) -> str:
    """Of which kind a layer is, by its tensors."""
    kernel = tensors.get("kernel", tensors.get("depthwise_kernel"))
    if "moving_variance" in tensors:
        return NORM if "gamma" in tensors else SHIFT
    if kernel is None:
        return ""
    return DENSE if kernel.ndim == 2 else BIASED if "bias" in tensors else CONV


def todays_names(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Tensors of a file under the names that Keras Applications gives their layers today, and what is to be said of it.

    Those of other networks, and of layers whose names tell which they are, are left as they are.

    Args:
        tensors: `layer/tensor`, in the order of the file.

    Raises:
        ValueError: Keras has numbered the layers in another order than that in which they stand.
    """
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, leaf = name.rpartition("/")
        layers.setdefault(layer, {})[leaf] = tensor
    for network, order in orders().items():
        ours = [name for name, _ in order]
        theirs = _same_kinds(layers, order)
        body = theirs[: len(ours) - 1]  # all but the last, which many replace
        if not body or any("." in name for name in body) or all(map(BRANCHES.fullmatch, body[2:])):
            continue  # another network, one with names of ours, or ResNet50 as it was
        if set(body) == set(ours[:-1]) and network != "InceptionV3":
            if body == ours[:-1]:
                break
            return dict(tensors), (f"{OTHER_ORDER} Keras' {network}, and are taken by their names.",)
        if all(map(NUMBERED.fullmatch, body)):
            if network == "InceptionV3":
                _require_order(body, ours)
            break
        falling = _falling(body)
        odd = f"; the numbers in {' and '.join(falling)} say another order" if falling else ""
        return _renamed(layers, dict(zip(theirs, ours, strict=False))), (
            f"{OTHER_NAMES} Keras' {network}, and are taken in its order, as Keras does{odd}.",
        )
    return dict(tensors), ()


def _same_kinds(layers: Mapping[str, Mapping[str, Tensor]], order: Order) -> list[str]:
    """The layers of a file that are of the kinds of a network's, with or without its last; none where others are."""
    kinds, wanted = [_kind(tensors) for tensors in layers.values()], [kind for _, kind in order]
    body = len(wanted) - 1
    if kinds[:body] != wanted[:body] or any(kind not in (*AFTER, wanted[body]) for kind in kinds[body:]):
        return []
    return list(layers)[: body + (kinds[body:] == wanted[body:])]


def _require_order(theirs: Sequence[str], ours: Sequence[str]) -> None:
    """Does nothing where the numbers of layers rise as those of the same layers do today, from whatever number on."""
    wrong = []
    for kind in ("conv2d", "batch_normalization"):
        pairs = [(a, b) for a, b in zip(theirs, ours, strict=False) if b.startswith(kind)]
        places = {number: place for place, number in enumerate(sorted(_number(a) for a, _ in pairs))}
        wrong += [a for a, b in pairs if places[_number(a)] != _number(b)]
    if wrong:
        raise ValueError(
            "the numbers of its layers and the order in which they stand do not go together as in Keras' "
            f"InceptionV3: {list_names(wrong)}"
        )


def _falling(names: Sequence[str]) -> list[str]:
    """The first two names that differ in their numbers alone, and in these fall; none where there are none."""
    last: dict[str, str] = {}
    for name in names:
        alike = DIGITS.sub("#", name)
        if alike in last and _numbers(name) < _numbers(last[alike]):
            return [fit_to_print(last[alike], 80), fit_to_print(name, 80)]
        last[alike] = name
    return []


def _numbers(name: str) -> list[int]:
    return [int(each[-9:]) for each in DIGITS.findall(name)]


def _number(name: str) -> int:
    found = NUMBERED.fullmatch(name)
    return int(found[2] or 0) if found else -1


def _renamed(layers: Mapping[str, Mapping[str, Tensor]], names: Mapping[str, str]) -> dict[str, Tensor]:
    """`layer/tensor` with the layers' names replaced; kernels of depthwise layers are called so, whoever wrote them."""
    found: dict[str, Tensor] = {}
    for layer, tensors in layers.items():
        name = names.get(layer, layer)
        deep = DEPTHWISE.fullmatch(name)
        found |= {
            f"{name}/{'depthwise_kernel' if deep and leaf == 'kernel' else leaf}": t for leaf, t in tensors.items()
        }
    return found
