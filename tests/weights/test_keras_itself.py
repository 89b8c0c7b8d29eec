"""Networks that Keras builds, with random weights, saved by Keras in each of its forms: ours give their logits.

Keras is no dependency: `pip install keras h5py` beside PyTorch, and these tests run.
"""

import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from striate.pretrained import pretrained
from striate.weights.keras_order import orders

FORMS = (".weights.h5", ".h5", ".keras", "_legacy.h5")
FORMER = {  # names of tensors in Keras 1, by today's
    "kernel": "W",
    "bias": "b",
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "running_mean",
    "moving_variance": "running_std",
}
BLUE_FIRST = ("VGG", "ResNet")  # in Keras, as it prepares images for them
Application = tuple[dict[str, float], str]  # arguments of Keras' function, and the net that it shall be taken for
APPLICATIONS: dict[str, list[Application]] = {
    "MobileNet": [({"alpha": float(w) / 100}, f"mobilenet_v1_{w}") for w in ("025", "050", "075", "100")],
    "MobileNetV2": [
        ({"alpha": float(w) / 100}, f"mobilenet_v2_tf_{w}") for w in ("035", "050", "075", "100", "130", "140")
    ],
    "ResNet50": [({}, "resnet50_v1")],
    "ResNet101": [({}, "resnet101_v1")],
    "ResNet152": [({}, "resnet152_v1")],
    "InceptionV3": [({}, "inception_v3_tf")],
    "InceptionResNetV2": [({}, "inception_resnet_v2")],
    "VGG16": [({}, "vgg16")],
    "VGG19": [({}, "vgg19")],
}
ROWS = [(function, arguments, net) for function, rows in APPLICATIONS.items() for arguments, net in rows]
LENET = ("conv1", "conv2", "fc1", "fc2", "fc3")


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("h5py", reason="the extra striate[keras] is not installed")
    return pytest.importorskip("keras", reason="Keras is not installed")


def randomise(model: Any) -> None:
    """Draws all weights, and what batch norms have seen, so that logits are of moderate size."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        kind, shape = variable.name, tuple(variable.shape)
        drawn = rng.standard_normal(shape)
        if kind == "moving_variance":
            drawn = 0.5 + np.abs(drawn)
        elif kind == "gamma":
            drawn = 1 + 0.1 * drawn
        elif kind in ("bias", "beta", "moving_mean"):
            drawn *= 0.1
        elif kind == "depthwise_kernel":
            drawn *= (2 / np.prod(shape[:2])) ** 0.5
        else:
            drawn *= (2 / np.prod(shape[:-1])) ** 0.5
        variable.assign(drawn.astype("float32"))


def save(model: Any, path: Path) -> None:
    """Writes the form that the name ends in."""
    if path.name.endswith("_legacy.h5"):  # of weights alone, as Keras 2 did
        legacy = importlib.import_module("keras.src.legacy.saving.legacy_h5_format")
        with importlib.import_module("h5py").File(path, "w") as file:
            legacy.save_weights_to_hdf5_group(file, model)
    elif path.name.endswith(".weights.h5"):
        model.save_weights(str(path))
    else:
        model.save(str(path))


def assert_same(model: Any, path: Path, told: str | None, net: str, blue_first: bool = False) -> None:
    """Whether the file is taken for the net, which then gives the logits of Keras."""
    found = pretrained(path, told)
    assert found.name == net
    channels, height, width = found.preprocessing.input_size
    images = np.random.default_rng(1).standard_normal((2, height, width, channels)).astype("float32")
    ours = torch.from_numpy(images[..., ::-1].copy() if blue_first else images).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = torch.as_tensor(np.asarray(model(images, training=False).cpu())).double()
        logits = found.net(ours).double()
    assert logits.shape == expected.shape
    assert torch.linalg.vector_norm(logits - expected) < 1e-5 * torch.linalg.vector_norm(expected)


@pytest.mark.filterwarnings("ignore")  # Keras' own
@pytest.mark.parametrize(
    ("function", "arguments", "net"),
    [pytest.param(*row, marks=() if row[2] == "mobilenet_v2_tf_035" else pytest.mark.slow) for row in ROWS],
)
def test_an_application_is_known_and_gives_its_logits(
    keras: Any, tmp_path: Path, function: str, arguments: dict[str, float], net: str
) -> None:
    keras.utils.clear_session()
    model = getattr(keras.applications, function)(weights=None, classifier_activation=None, **arguments)
    randomise(model)
    for form in FORMS:
        path = tmp_path / f"model{form}"
        save(model, path)
        assert_same(model, path, None, net, function.startswith(BLUE_FIRST))
        path.unlink()


def as_published(model: Any, path: Path, rename: Callable[[str], str], keras_1: bool = False) -> None:
    """Writes a file of Keras 2, or of Keras 1, whose layers have other names."""
    with importlib.import_module("h5py").File(path, "w") as file:
        file.attrs["layer_names"] = [rename(layer.name).encode() for layer in model.layers]
        for layer in model.layers:
            name = rename(layer.name)
            group, names = file.create_group(name), []
            for weight in (w for w in layer.trainable_weights + layer.non_trainable_weights if w.name in FORMER):
                deep = type(layer).__name__ == "DepthwiseConv2D"
                leaf = "depthwise_kernel" if deep and weight.name == "kernel" else weight.name
                names.append(f"{name}_{FORMER[weight.name]}_1:0" if keras_1 else f"{name}/{leaf}:0")
                group[names[-1]] = weight.numpy()
            group.attrs["weight_names"] = [each.encode() for each in names]


def first_name(name: str) -> str:
    """Of a layer of MobileNet v2, or of ResNet50, as it was called at first."""
    name = re.sub(r"block_(\d+)_([a-z]+)$", r"mobl\1_conv_\1_\2", name)
    name = re.sub(r"block_(\d+)_([a-z]+)_BN$", r"bn\1_conv_\1_bn_\2", name)
    found = re.fullmatch(r"conv(\d)_block(\d)_(\d)_(conv|bn)", name)
    if found:
        kind, letter = ("res" if found[4] == "conv" else "bn"), " abcdef"[int(found[2])]
        return f"{kind}{found[1]}{letter}_branch{('1', '2a', '2b', '2c')[int(found[3])]}"
    return {"conv1_conv": "conv1", "conv1_bn": "bn_conv1"}.get(name, name)


@pytest.mark.filterwarnings("ignore")  # Keras' own
@pytest.mark.parametrize(
    ("function", "net", "rename", "keras_1"),
    [
        ("MobileNetV2", "mobilenet_v2_tf_100", first_name, False),
        pytest.param("InceptionV3", "inception_v3_tf", "of_mine_{}".format, False, marks=pytest.mark.slow),
        pytest.param("ResNet101", "resnet101_v1", "of_mine_{}".format, False, marks=pytest.mark.slow),
        pytest.param("ResNet50", "resnet50_v1", first_name, True, marks=pytest.mark.slow),
        pytest.param("VGG16", "vgg16", str, True, marks=pytest.mark.slow),
    ],
)
def test_files_with_other_names_of_layers(
    keras: Any, tmp_path: Path, function: str, net: str, rename: Callable[[str], str], keras_1: bool
) -> None:
    keras.utils.clear_session()
    model = getattr(keras.applications, function)(weights=None, classifier_activation=None)
    for layer in model.layers if function == "ResNet50" else ():
        if hasattr(layer, "epsilon"):
            layer.epsilon = 1e-3  # as it was then
    randomise(model)
    as_published(model, tmp_path / "a.h5", rename, keras_1)
    assert_same(model, tmp_path / "a.h5", None, net, function.startswith(BLUE_FIRST))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if "ResNet" in name else ()) for name in orders()]
)
def test_layers_stand_in_the_order_of_keras(keras: Any, name: str) -> None:
    keras.utils.clear_session()
    model = getattr(keras.applications, name)(weights=None)
    assert [layer.name for layer in model.layers if layer.weights] == [layer for layer, _ in orders()[name]]


def lenet(keras: Any, names: tuple[str | None, ...]) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((32, 32, 1)),
            layers.Conv2D(6, 5, activation="tanh", name=names[0]),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh", name=names[1]),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation="tanh", name=names[2]),
            layers.Dense(84, activation="tanh", name=names[3]),
            layers.Dense(10, name=names[4]),
        ]
    )


@pytest.mark.filterwarnings("ignore")  # Keras' own
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("names", "told"), [(LENET, None), (LENET, "lenet5"), ((None,) * 5, "lenet5")])
def test_a_network_of_ones_own(
    keras: Any, tmp_path: Path, form: str, names: tuple[str | None, ...], told: str | None
) -> None:
    """Dense layers behind Flatten take their maps in another order there."""
    model = lenet(keras, names)
    randomise(model)
    save(model, tmp_path / f"a{form}")
    assert_same(model, tmp_path / f"a{form}", told, "lenet5")
