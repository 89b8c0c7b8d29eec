"""Layers of files of Keras 2 under today's names; `test_keras_itself.py` holds their order against Keras."""

import pytest
import torch
from torch import Tensor

from striate.weights.keras_order import BIASED, CONV, DENSE, NORM, SHIFT, orders, todays_names

LEAVES: dict[str, dict[str, tuple[int, ...]]] = {
    CONV: {"kernel": (1, 1, 2, 2)},
    BIASED: {"kernel": (1, 1, 2, 2), "bias": (2,)},
    DENSE: {"kernel": (2, 2), "bias": (2,)},
    NORM: {"gamma": (2,), "beta": (2,), "moving_mean": (2,), "moving_variance": (2,)},
    SHIFT: {"beta": (2,), "moving_mean": (2,), "moving_variance": (2,)},
}
Layers = list[tuple[str, str]]  # name and kind
NETWORKS = ("MobileNet", "MobileNetV2", "InceptionV3", "ResNet50")


def tensors(layers: Layers) -> dict[str, Tensor]:
    return {f"{name}/{leaf}": torch.rand(shape) for name, kind in layers for leaf, shape in LEAVES[kind].items()}


def own(network: str, name: str = "layer_{}_of_mine") -> Layers:
    return [(name.format(place), kind) for place, (_, kind) in enumerate(orders()[network])]


def swapped(layers: Layers, *names: str) -> Layers:
    """The same layers with two of them, and what follows each, in each other's place."""
    a, b = ([name for name, _ in layers].index(name) for name in names)
    new = list(layers)
    new[a : a + 2], new[b : b + 2] = layers[b : b + 2], layers[a : a + 2]
    return new


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("head", [True, False])
def test_layers_with_other_names_are_taken_in_their_order(network: str, head: bool) -> None:
    count = len(orders()[network]) - (not head)
    theirs = tensors(own(network)[:count])
    ours, said = todays_names(theirs)
    assert list(dict.fromkeys(name.rpartition("/")[0] for name in ours)) == [n for n, _ in orders()[network]][:count]
    assert all(mine is theirs_ for mine, theirs_ in zip(ours.values(), theirs.values(), strict=True))
    assert said == (
        f"Its layers have other names than those of Keras' {network}, and are taken in its order, as Keras does.",
    )


def test_numbers_in_other_names_that_say_another_order_are_told() -> None:
    """Two layers of one shape in each other's place would raise no error."""
    theirs = tensors(swapped(own("MobileNetV2"), "layer_24_of_mine", "layer_30_of_mine"))
    _, said = todays_names(theirs)
    assert said[0].endswith("as Keras does; the numbers in layer_31_of_mine and layer_26_of_mine say another order.")


def test_layers_that_follow_keep_their_names() -> None:
    theirs = tensors([*own("MobileNetV2")[:-1], ("hidden", DENSE), ("answer", DENSE)])
    ours, _ = todays_names(theirs)
    assert list(ours)[-4:] == ["hidden/kernel", "hidden/bias", "answer/kernel", "answer/bias"]
    assert "predictions/kernel" not in ours


def test_kernels_of_depthwise_layers_are_called_so() -> None:
    ours, _ = todays_names(tensors(own("MobileNetV2")))
    assert {name for name in ours if name.startswith("block_3_") and "kernel" in name} == {
        "block_3_expand/kernel",
        "block_3_depthwise/depthwise_kernel",
        "block_3_project/kernel",
    }


@pytest.mark.parametrize("network", NETWORKS)
def test_todays_names_stay(network: str) -> None:
    theirs = tensors(list(orders()[network]))
    assert todays_names(theirs) == (theirs, ())


def test_names_go_before_an_order_that_is_not_keras() -> None:
    theirs = tensors(swapped(list(orders()["MobileNetV2"]), "block_4_expand", "block_5_expand"))
    ours, said = todays_names(theirs)
    assert ours == theirs
    assert said == (
        "Its layers stand in another order than those of Keras' MobileNetV2, and are taken by their names.",
    )


def numbered(first: int) -> Layers:
    """The layers of Inception v3 as a session calls them that has made others before."""
    layers = []
    for name, kind in orders()["InceptionV3"]:
        stem, _, number = name.rpartition("_")
        count = int(number) if number.isdecimal() else 0
        stem = stem if number.isdecimal() else name
        layers.append((name if kind == DENSE else f"{stem}_{first + count}", kind))
    return layers


@pytest.mark.parametrize("first", [1, 95])
def test_numbers_that_go_with_the_order_stay(first: int) -> None:
    theirs = tensors(numbered(first))
    assert todays_names(theirs) == (theirs, ())


def test_numbers_that_say_another_order_are_refused() -> None:
    theirs = tensors(swapped(numbered(1), "conv2d_5", "conv2d_9"))
    with pytest.raises(ValueError, match=r"the order in which they stand do not go together .*: conv2d_9, conv2d_5"):
        todays_names(theirs)


@pytest.mark.parametrize(
    "layers",
    [
        own("MobileNetV2", "features.{}.conv"),  # names of ours
        own("MobileNetV2", "conv2d_{}"),  # numbers alone, which another layout reads
        own("MobileNetV2")[:40],
        [*own("MobileNetV2"), ("more", CONV)],
        [("alone", CONV)],
        [],
    ],
)
def test_others_are_left_as_they_are(layers: Layers) -> None:
    theirs = tensors(layers)
    assert todays_names(theirs) == (theirs, ())


def test_the_first_names_of_resnet50_tell_which_they_are() -> None:
    """Its shortcuts stood in another order: by today's, two layers of one shape would be exchanged."""
    names = ["conv1", "bn_conv1"]
    for stage, blocks in zip("2345", ("abc", "abcd", "abcdef", "abc"), strict=True):
        for block in blocks:
            names += [f"{kind}{stage}{block}_branch{part}" for part in ("2a", "2b") for kind in ("res", "bn")]
            last = ("2c", "1") if block == "a" else ("2c",)
            names += [f"{kind}{stage}{block}_branch{part}" for kind in ("res", "bn") for part in last]
    kinds = [kind for _, kind in orders()["ResNet50"]]
    theirs = tensors(list(zip([*names, "fc1000"], kinds, strict=True)))
    assert todays_names(theirs) == (theirs, ())
