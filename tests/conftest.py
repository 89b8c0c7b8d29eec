"""Fixtures that several files of tests share."""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image
from rich.console import Console

from striate.console import Reporter
from striate.data import Preprocessing
from striate.device import choose
from striate.model import Model
from striate.nets import create
from striate.recipe import KEYS, Recipe, from_dict
from striate.tasks.classify import Classify
from striate.training import RunFolder, train

torch.set_num_threads(1)  # on pictures this small, more threads of arithmetic only wait for each other

# No test asserts a time: on a busy machine an example may take any.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches of this run of the tests alone: what a test finds there, a test put there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIATE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def write_pictures() -> Callable[[Path, Mapping[str, int]], Path]:
    """Writes grey 32x32 PNG files, a folder a class, each class brighter than the one before; returns the root."""

    def write(root: Path, counts: Mapping[str, int]) -> Path:
        for place, (name, count) in enumerate(counts.items()):
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            brightness = 255 * (place + 1) / (len(counts) + 1)
            (root / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.normal(brightness, 25, (32, 32)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(root / name / f"{number:02d}.png")
        return root

    return write


@pytest.fixture(scope="session")
def tiny_recipe() -> Callable[..., Recipe]:
    """A recipe that trains in a fraction of a second; keyword arguments are keys of any of its tables."""

    def build(**values: Any) -> Recipe:
        base: dict[str, Any] = {
            "model": "lenet5",
            "model_args": {"activation": "relu"},
            "crop_pct": 1.0,
            "augment": "light",
            "epochs": 3,
            "batch_size": 8,
            "lr": 1e-2,
            "device": "cpu",
            "precision": "float32",
            "workers": 1,
        }
        tables: dict[str, dict[str, Any]] = {}
        for key, value in (base | values).items():
            tables.setdefault(KEYS[key], {})[key] = value
        return from_dict(tables)

    return build


@pytest.fixture(scope="session")
def silent() -> Reporter:
    """Says nothing to anyone; a run given it still keeps its log."""
    return Reporter(Console(file=io.StringIO()))


@pytest.fixture(scope="session")
def two_classes(
    tmp_path_factory: pytest.TempPathFactory, write_pictures: Callable[[Path, Mapping[str, int]], Path]
) -> Path:
    """Twelve dark and twelve light pictures, to read only."""
    return write_pictures(tmp_path_factory.mktemp("data") / "two", {"dark": 12, "light": 12})


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, two_classes: Path, tiny_recipe: Callable[..., Recipe], silent: Reporter
) -> RunFolder:
    """A finished run on `two_classes`, to read only."""
    return train(two_classes, tiny_recipe(), tmp_path_factory.mktemp("runs") / "finished", silent)


@pytest.fixture
def untrained() -> Callable[..., Model]:
    """A model of LeNet-5 with random weights that are the same each time."""

    def build(
        classes: tuple[str, ...] = ("dark", "light"), *, several_labels: bool = False, channels: int = 1
    ) -> Model:
        arguments = {"num_classes": len(classes), "in_channels": channels, "activation": "relu"}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = create("lenet5", **arguments).eval()
        preprocessing = Preprocessing((channels, 32, 32), (0.5,) * channels, (0.5,) * channels, crop_pct=1.0)
        task = Classify(classes, several_labels)
        return Model(net, "lenet5", arguments, task, preprocessing, machine=choose("cpu", "float32"))

    return build


@pytest.fixture(scope="session")
def save_picture() -> Callable[..., Path]:
    """Writes random pixels, drawn from `seed`, as a picture of the format of the path's suffix, and gives the path."""

    def save(path: Path, size: tuple[int, int] = (6, 5), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return save
