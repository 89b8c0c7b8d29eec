"""Files of Keras, made by hand in the forms that Keras 2 and Keras 3 give them."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from striate.errors import WeightsError
from striate.nets import create
from striate.pretrained import pretrained
from striate.weights import load_into, read_checkpoint, read_tensors, tensors_for
from striate.weights.keras_layouts import mobilenet_v1_layers

LAYERS: dict[
    str, tuple[str, dict[str, tuple[int, ...]]]
] = {  # of a small network: class in Keras 3, tensors in its order
    "a": ("conv2d", {"kernel": (5, 5, 1, 6), "bias": (6,)}),
    "a_bn": ("batch_normalization", {"gamma": (6,), "beta": (6,), "moving_mean": (6,), "moving_variance": (6,)}),
    "conv_dw_1": ("depthwise_conv2d", {"depthwise_kernel": (3, 3, 6, 1)}),
    "b_bn": ("batch_normalization_1", {"beta": (6,), "moving_mean": (6,), "moving_variance": (6,)}),
    "d": ("dense", {"kernel": (6, 3), "bias": (3,)}),
}


@pytest.fixture
def h5py() -> Any:
    return pytest.importorskip("h5py", reason="the extra striate[keras] is not installed")


def values() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return {
        f"{layer}/{name}": rng.standard_normal(shape).astype(np.float32)
        for layer, (_, tensors) in LAYERS.items()
        for name, shape in tensors.items()
    }


def write_keras2(root: Any, kernel: str = "depthwise_kernel", end: str = ":0") -> None:
    for path, value in values().items():
        layer, _, name = path.partition("/")
        name = name.replace("depthwise_kernel", kernel)
        root[f"{layer}/{layer}/{name}{end}"] = value
    root["top_level_model_weights/placeholder"] = 0
    del root["top_level_model_weights/placeholder"]


def write_keras3(root: Any) -> None:
    found = values()
    for layer, (kind, tensors) in LAYERS.items():
        group = root.create_group(f"layers/{kind}/vars")
        group.attrs["name"] = layer
        for number, name in enumerate(tensors):
            group[str(number)] = found[f"{layer}/{name}"]
    root.create_group("optimizer/vars")["0"] = 1


@pytest.mark.parametrize("form", ["keras 2", "keras 2 by keras 3", "model", "keras 3", "archive"])
def test_tensors_come_by_the_names_of_their_layers(h5py: Any, tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as root:
        if form.startswith("keras 2"):
            write_keras2(root, *(("kernel", "") if form.endswith("3") else ()))
        elif form == "model":
            write_keras2(root.create_group("model_weights"))
            root["optimizer_weights/a/kernel:0"] = 1
        else:
            write_keras3(root)
    if form == "archive":
        with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
            archive.write(path, "model.weights.h5")
            archive.writestr("config.json", "{}")
        path = tmp_path / "a.keras"
    tensors = read_tensors(path)
    expected = values()
    assert tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name].numpy(), expected[name]) for name in expected)


def test_names_of_keras_1(h5py: Any, tmp_path: Path) -> None:
    former = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}
    expected = {name: value for name, value in values().items() if not name.startswith("conv_dw")}  # it had none
    with h5py.File(tmp_path / "a.h5", "w") as root:
        for count, (path, value) in enumerate(expected.items()):
            layer, _, name = path.partition("/")
            root[f"{layer}/{layer}_{former.get(name, name)}{'_1' * (count % 2)}:0"] = value
    tensors = read_tensors(tmp_path / "a.h5")
    assert tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name].numpy(), expected[name]) for name in expected)


@pytest.mark.parametrize("parts", [1, 3])
def test_the_order_is_the_one_that_the_file_lists(h5py: Any, tmp_path: Path, parts: int) -> None:
    layers = list(reversed(LAYERS))
    with h5py.File(tmp_path / "a.h5", "w") as root:
        write_keras2(root)
        for part, names in enumerate(np.array_split(np.array(layers, "S"), parts)):
            root.attrs[f"layer_names{part if parts > 1 else ''}"] = names
        for layer in layers:
            root[layer].attrs["weight_names"] = [f"{layer}/{name}:0" for name in LAYERS[layer][1]]
    listed = [f"{layer}/{name}" for layer in layers for name in LAYERS[layer][1]]
    assert list(read_tensors(tmp_path / "a.h5")) == listed


def test_a_list_that_leads_out_of_the_file_is_not_followed(h5py: Any, tmp_path: Path) -> None:
    """Groups of an optimiser are not looked into, and may hold links."""
    with h5py.File(tmp_path / "a.h5", "w") as root:
        write_keras2(root)
        root["optimizer_weights/out"] = h5py.ExternalLink(str(tmp_path / "none.h5"), "/")
        root.attrs["layer_names"] = ["a", "optimizer_weights/out", "/optimizer_weights/out", "./optimizer_weights/out"]
        root["a"].attrs["weight_names"] = ["a/kernel:0"]
    assert next(iter(read_tensors(tmp_path / "a.h5"))) == "a/kernel"


@pytest.mark.parametrize("listed", [3, [b"\xff"]])
def test_a_list_that_is_none(h5py: Any, tmp_path: Path, listed: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        write_keras2(root)
        root.attrs["layer_names"] = listed
    with pytest.raises(WeightsError, match=r"a\.h5: expected weights that Keras saved; "):
        read_tensors(tmp_path / "a.h5")


def write_mobilenet(root: Any, net: Any) -> None:
    """Writes MobileNet v1 as Keras writes it, from a net of ours."""
    theirs = {ours: keras for keras, ours in mobilenet_v1_layers().items()}
    names = {"running_mean": "moving_mean", "running_var": "moving_variance"}
    for name, tensor in net.state_dict().items():
        layer, _, leaf = name.rpartition(".")
        keras, value = theirs[layer], tensor.numpy()
        if leaf == "num_batches_tracked":
            continue
        if keras.endswith("_bn"):
            leaf = names.get(leaf, "gamma" if leaf == "weight" else "beta")
        elif leaf == "weight":
            depthwise = "_dw_" in keras
            leaf = "depthwise_kernel" if depthwise else "kernel"
            value = value.reshape(*value.shape, *[1] * (4 - value.ndim))
            value = value.transpose(2, 3, 0, 1) if depthwise else value.transpose(2, 3, 1, 0)
        root[f"{keras}/{keras}/{leaf}:0"] = value


def test_a_network_of_keras_becomes_ours(h5py: Any, tmp_path: Path) -> None:
    """MobileNet v1 of width 0.25, written as Keras writes it from a net of ours."""
    net: Any = create("mobilenet_v1_025", num_classes=3).eval()
    with h5py.File(tmp_path / "a.h5", "w") as root:
        write_mobilenet(root, net)
    other = create("mobilenet_v1_025", num_classes=3).eval()
    load_into(other, tensors_for(other, read_tensors(tmp_path / "a.h5"), "keras_mobilenet_v1"))
    images = torch.randn(1, 3, 64, 64)
    for module in other.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # Keras adds another epsilon, for which the variance makes up
            module.get_buffer("running_var").add_(module.eps - 1e-3)
    torch.testing.assert_close(other(images), net(images))


RESCALING = {"class_name": "Rescaling", "config": {"scale": 1 / 255, "offset": 0.0}}
NESTED = {"class_name": "Functional", "config": {"layers": [{"class_name": "InputLayer"}, RESCALING]}}


@pytest.mark.parametrize("archive", [True, False])
def test_a_layer_that_scales_images_says_how_they_were_prepared(h5py: Any, tmp_path: Path, archive: bool) -> None:
    config = json.dumps({"config": {"layers": [NESTED]}})
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as root:
        write_mobilenet(root, create("mobilenet_v1_025", num_classes=3))
        root.attrs["model_config"] = "" if archive else config
    if archive:
        path = tmp_path / "a.keras"
        with zipfile.ZipFile(path, "w") as written:
            written.write(tmp_path / "a.h5", "model.weights.h5")
            written.writestr("config.json", config)
    found = pretrained(path)
    assert found.preprocessing.mean == pytest.approx((0, 0, 0))
    assert found.preprocessing.std == pytest.approx((1, 1, 1))
    assert found.said[-1] == (
        "The file scales its images itself, from which follow mean 0, 0, 0 and deviation 1, 1, 1; "
        "224 pixels are assumed."
    )


@pytest.mark.parametrize(
    "layers",
    [
        [RESCALING, RESCALING],
        [{"class_name": "Rescaling", "config": {"scale": [0.1, 0.2]}}],
        [{"class_name": "Rescaling", "config": {"scale": -1}}],
        [{"class_name": "Rescaling", "config": None}],
        [],
    ],
)
def test_what_says_nothing_of_images(h5py: Any, tmp_path: Path, layers: list[Any]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        write_keras2(root)
        root.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
    assert read_checkpoint(tmp_path / "a.h5").scaling is None


def outside(h5py: Any, root: Any, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["a/kernel"] = np.zeros(3)
    root["a"] = h5py.ExternalLink(str(folder / "other.h5"), "/a")


def soft(h5py: Any, root: Any, folder: Path) -> None:
    root["b/kernel"] = np.zeros(3)
    root["a"] = h5py.SoftLink("/b")


def raw(h5py: Any, root: Any, folder: Path) -> None:
    (folder / "secret").write_bytes(bytes(100))
    root.create_group("a").create_dataset("kernel", (3,), "f4", external=[(str(folder / "secret"), 0, 12)])


def virtual(h5py: Any, root: Any, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["kernel"] = np.zeros(3, np.float32)
    layout = h5py.VirtualLayout(shape=(3,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "kernel", shape=(3,))
    root.create_group("a").create_virtual_dataset("kernel", layout)


def packed(h5py: Any, root: Any, folder: Path) -> None:
    root.create_group("a").create_dataset("kernel", data=np.zeros(100_000, np.float32), compression="gzip")


def empty(h5py: Any, root: Any, folder: Path) -> None:
    root.create_group("a").create_dataset("kernel", (10**10,), "f4")  # 40 GB that the file does not hold


def words(h5py: Any, root: Any, folder: Path) -> None:
    root["a/kernel"] = ["x", "y"]


def round_and_round(h5py: Any, root: Any, folder: Path) -> None:
    group = root.create_group("a")
    group["b"] = group


HOSTILE = {
    outside: "it refers to something outside of itself: a",
    soft: "it refers to something outside of itself: a",
    raw: "expected an array that lies in the file as it is; got another, a/kernel",
    virtual: "expected an array that lies in the file as it is; got another, a/kernel",
    packed: "expected an array that lies in the file as it is; got another, a/kernel",
    empty: "expected numbers of no more than the ",
    words: "expected numbers of no more than the ",
    round_and_round: "it holds more groups than the weights of a network",
}


@pytest.mark.parametrize("make", HOSTILE)
def test_what_is_not_in_the_file_is_not_read(h5py: Any, tmp_path: Path, make: Any) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as root:
        make(h5py, root, tmp_path)
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(f"{path}: expected weights that Keras saved; {HOSTILE[make]}")


@pytest.mark.parametrize("size", [8, 100, 2000])
def test_a_file_that_is_cut_short(h5py: Any, tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as root:
        write_keras3(root)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match=r"a\.h5: expected weights that Keras saved; "):
        read_tensors(path)


def test_a_file_without_weights(h5py: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    h5py.File(path, "w").close()
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert str(caught.value) == f"{path}: expected weights that Keras saved; got none."


def test_an_archive_that_is_compressed(h5py: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10_000))
    with pytest.raises(WeightsError, match="expected an archive without compression, as Keras writes it; got a"):
        read_tensors(path)


def test_without_h5py_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(
        f"{path}: a file of Keras; expected h5py to be installed; it cannot be imported"
    )
    assert str(caught.value).endswith("Try `pip install 'striate[keras]'`.")
