"""The converters, held against convolutions written out in the foreign layout."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from striate.errors import WeightsError
from striate.weights import from_caffe, from_keras, renamed, rescaled_epsilon, strip_prefix, unfold_batch_norm


def windows(images: Tensor, size: int) -> Tensor:
    """(N, H, W, C) to (N, H', W', C, size, size)."""
    return images.unfold(1, size, 1).unfold(2, size, 1)


def test_a_convolution_of_keras_gives_the_same_maps() -> None:
    images, kernel = torch.randn(2, 6, 7, 3), torch.randn(3, 3, 3, 5)  # NHWC, HWIO
    expected = torch.einsum("nijchw,hwco->nijo", windows(images, 3), kernel)
    converted = from_keras({"conv/kernel": kernel})["conv.weight"]
    assert converted.shape == (5, 3, 3, 3)
    torch.testing.assert_close(conv2d(images.permute(0, 3, 1, 2), converted).permute(0, 2, 3, 1), expected)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_depthwise_convolution_of_keras_gives_the_same_maps(multiplier: int) -> None:
    images, kernel = torch.randn(2, 6, 7, 4), torch.randn(3, 3, 4, multiplier)  # NHWC, HWCM
    expected = torch.einsum("nijchw,hwcm->nijcm", windows(images, 3), kernel).flatten(3)
    converted = from_keras({"conv/depthwise_kernel": kernel})["conv.weight"]
    assert converted.shape == (4 * multiplier, 1, 3, 3)
    torch.testing.assert_close(conv2d(images.permute(0, 3, 1, 2), converted, groups=4).permute(0, 2, 3, 1), expected)


def test_a_dense_layer_of_keras_is_transposed() -> None:
    kernel = torch.randn(4, 3)  # (in, out)
    assert torch.equal(from_keras({"top/kernel:0": kernel})["top.weight"], kernel.T)


def test_a_batch_norm_of_keras() -> None:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    values = {f"a/bn/{name}": torch.full((2,), float(i)) for i, name in enumerate(names)}
    assert {name: tensor[0].item() for name, tensor in from_keras(values).items()} == {
        "a/bn.weight": 0,
        "a/bn.bias": 1,
        "a/bn.running_mean": 2,
        "a/bn.running_var": 3,
    }


def test_a_batch_norm_of_keras_without_gamma_or_beta() -> None:
    converted = from_keras({"bn/moving_mean": torch.randn(2), "bn/moving_variance": torch.rand(2)})
    assert torch.equal(converted["bn.weight"], torch.ones(2))
    assert torch.equal(converted["bn.bias"], torch.zeros(2))


def test_what_keras_does_not_name_is_listed() -> None:
    with pytest.raises(WeightsError) as caught:
        from_keras({"conv/weight": torch.zeros(1), "b/kernel": torch.zeros(3), "kernel": torch.zeros(1, 1)})
    assert str(caught.value) == (
        "names: expected Keras' `layer/` and one of kernel, depthwise_kernel, bias, gamma, beta, moving_mean, "
        "moving_variance; got b/kernel (3), conv/weight (1) and kernel (1x1)."
    )


@hypothesis.given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1e-5]))
def test_a_norm_folded_into_a_bias_comes_back_as_one_that_adds_it(seed: int, epsilon: float) -> None:
    rng = np.random.default_rng(seed)
    images, weight, bias = (
        torch.tensor(rng.normal(size=s), dtype=torch.float32) for s in ((2, 3, 4, 4), (5, 3, 1, 1), 5)
    )
    new = unfold_batch_norm({"c.weight": weight, "c.bias": bias}, {"c": "n"}, epsilon)
    assert set(new) == {"c.weight", "n.weight", "n.bias", "n.running_mean", "n.running_var"}
    norm = nn.BatchNorm2d(5, eps=epsilon).eval()
    norm.load_state_dict({name[2:]: tensor for name, tensor in new.items() if name.startswith("n.")}, strict=False)
    got = norm(conv2d(images, new["c.weight"]))
    torch.testing.assert_close(got, conv2d(images, weight, bias), rtol=1e-5, atol=1e-5)


def test_a_convolution_without_the_folded_bias_is_named() -> None:
    with pytest.raises(WeightsError) as caught:
        unfold_batch_norm({"a.bias": torch.zeros(2)}, {"a": "n", "b": "m"})
    assert str(caught.value) == "names: expected the bias that holds each batch norm; missing are b.bias."


def test_another_epsilon_gives_the_same_maps() -> None:
    images, norm = torch.randn(8, 4, 3, 3), nn.BatchNorm2d(4, eps=1e-3)
    norm.running_var = torch.tensor([1e-6, 1e-3, 1.0, 100.0])
    norm.running_mean = torch.randn(4)
    other = nn.BatchNorm2d(4)
    state = {f"bn.{name}": tensor for name, tensor in norm.state_dict().items()}
    moved = rescaled_epsilon(state, 1e-3, {"bn": other.eps, "elsewhere": 1e-5})
    other.load_state_dict({name.removeprefix("bn."): tensor for name, tensor in moved.items()})
    torch.testing.assert_close(other.eval()(images), norm.eval()(images), rtol=1e-5, atol=1e-5)
    assert state["bn.running_var"][0] == 1e-6  # the caller's are untouched


def test_caffe() -> None:
    assert set(from_caffe({"a/ip1/weight": torch.zeros(1), "a/ip1/bias": torch.zeros(1)})) == {
        "a/ip1.weight",
        "a/ip1.bias",
    }
    with pytest.raises(WeightsError) as caught:
        from_caffe({"ip1/blob": torch.zeros(1), "bias": torch.zeros(1), "ip1/bias": torch.zeros(1)})
    assert str(caught.value) == "names: expected `layer/weight` and `layer/bias`; got bias and ip1/blob."


def test_a_prefix_is_on_every_name_or_refused() -> None:
    assert set(strip_prefix({"module.a.module.b": torch.zeros(1)})) == {"a.module.b"}
    with pytest.raises(WeightsError) as caught:
        strip_prefix({"module.a": torch.zeros(1), "c": torch.zeros(1), "b": torch.zeros(1)})
    assert str(caught.value) == "names: expected each to start with `module.`; got b and c."


def test_a_table_renames_layers() -> None:
    tensors = {"a.weight": torch.zeros(1), "a.bias": torch.ones(1), "b.c.weight": torch.zeros(2)}
    new = renamed(tensors, {"a": "x.0", "b.c": "y", "absent": "z"})
    assert {name: id(tensor) for name, tensor in new.items()} == {
        "x.0.weight": id(tensors["a.weight"]),
        "x.0.bias": id(tensors["a.bias"]),
        "y.weight": id(tensors["b.c.weight"]),
    }


def test_a_layer_that_the_table_lacks_is_named() -> None:
    with pytest.raises(WeightsError) as caught:
        renamed({"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)}, {"a": "x"})
    assert str(caught.value) == "names: expected only layers that the table knows; got also b.weight."


def test_two_layers_of_one_name_are_refused() -> None:
    with pytest.raises(WeightsError) as caught:
        renamed({"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)}, {"a": "x", "b": "x"})
    assert str(caught.value) == "names: expected each tensor under a name of its own; got two for x.weight."
