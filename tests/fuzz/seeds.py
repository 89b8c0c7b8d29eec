"""Valid inputs of every kind that is opened, and the command lines that open them."""

import gzip
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from kin import KIN, write
from kin.make import image
from PIL import Image

from striate.console import Reporter
from striate.data import Preprocessing, read
from striate.data.index_file import save_index
from striate.device import choose
from striate.model import Model
from striate.nets import create
from striate.recipe import Recipe, dumps
from striate.tasks.classify import Classify
from striate.training import train

FORMATS = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "tif": "TIFF", "webp": "WEBP", "bmp": "BMP", "jp2": "JPEG2000"}
Words = list[str]


@dataclass(frozen=True)
class Kind:
    """A kind of input: how its files are made in an empty folder, and how it is opened."""

    make: Callable[[Path, Random], None]
    """Writes the files that are changed, under `in`; others may lie beside it."""

    words: Callable[[Path, Random], Words]
    """A command line."""

    changes: bool = True
    """Whether its files are changed before the command runs; of caches, between two runs."""


def classes(root: Path, ending: str = "jpg", count: int = 3) -> Path:
    for number in range(count):
        for place, name in enumerate(("ants", "bees")):
            (root / name).mkdir(parents=True, exist_ok=True)
            content = image(FORMATS[ending], 2 * number + place)
            (root / name / f"{number}.{ending}").write_bytes(content)
    return root


def model(path: Path, name: str = "lenet5") -> Path:
    torch.manual_seed(0)
    net = create(name, num_classes=2, in_channels=1).eval()
    size = int(net.image_size)  # type: ignore[arg-type]
    record = Preprocessing((1, size, size), (0.5,), (0.5,))
    arguments = {"num_classes": 2, "in_channels": 1}
    Model(net, name, arguments, Classify(("ants", "bees")), record, machine=choose("cpu", "float32")).save(path)
    return path


def make_model(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    model(folder / "in/model.safetensors")
    classes(folder / "images")


def open_model(folder: Path, random: Random) -> Words:
    path, images = str(folder / "in/model.safetensors"), str(folder / "images")
    return random.choice([["predict", path, images], ["inspect", path], ["evaluate", path, images]])


def make_layout(folder: Path, random: Random) -> None:
    make, _ = KIN[random.choice(sorted(KIN))]
    write(folder / "in", make())


def make_images(folder: Path, random: Random) -> None:
    classes(folder / "in", random.choice(sorted(FORMATS)))
    for number in range(2):
        values = np.random.default_rng(number).integers(0, 5000, (16, 24, random.choice((1, 3, 5))), np.uint16)
        np.save(folder / "in/ants" / f"raw{number}.npy", values)
        Image.fromarray(values[..., 0]).save(folder / "in/bees" / f"raw{number}.tif")


def make_index(folder: Path, random: Random) -> None:
    index = read(classes(folder / "in/set"))
    save_index(index, folder / "in/index.parquet")
    shutil.rmtree(folder / "in/set")
    classes(folder / "set")


def make_parquet(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    rows = [{"image": {"bytes": image("PNG", n), "path": f"{n}.png"}, "label": n % 2} for n in range(8)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "in/train-00000-of-00001.parquet")


def make_idx(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)
    images = struct.pack(">4B3I", 0, 0, 8, 3, *pixels.shape) + pixels.tobytes()
    labels = struct.pack(">4BI", 0, 0, 8, 1, 8) + bytes([0, 1] * 4)
    packed = random.random() < 0.5
    for name, content in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        path = folder / "in" / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)


def make_arrays(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)
    save = random.choice((np.savez, np.savez_compressed))
    save(folder / "in/set.npz", x_train=pixels, y_train=np.array([0, 1] * 4))


def make_archive(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    classes(folder / "set")
    kind = random.choice(("zip", "tar", "gztar", "bztar", "xztar"))
    shutil.make_archive(str(folder / "in/set"), kind, folder / "set")


def make_masks(folder: Path, random: Random) -> None:
    for number in range(4):
        values = np.random.default_rng(number).integers(0, 3, (16, 24), np.uint8)
        picture = Image.fromarray(values, "P" if random.random() < 0.7 else "L")
        if picture.mode == "P":
            picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        for part, content in (("images", image("JPEG", number)), ("masks", None)):
            (folder / "in" / part).mkdir(parents=True, exist_ok=True)
            if content is not None:
                (folder / "in" / part / f"{number}.jpg").write_bytes(content)
        picture.save(folder / "in/masks" / f"{number}.png")


def make_recipe(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    (folder / "in/recipe.toml").write_text(dumps(Recipe()))


def make_manifests(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    (folder / "in/manifests.toml").write_text(
        '[[weights]]\nname = "lenet5.mine"\nfile = "mine.safetensors"\nsize = 10\nsource = "me"\nlicence = "MIT"\n'
        'layout = "striate"\nclasses = ["a", "b"]\nurl = "https://example.org/mine.safetensors"\n'
        "preprocessing = {input_size = [1, 32, 32], mean = [0.5], std = [0.5]}\n"
    )


def make_weights(folder: Path, random: Random) -> None:
    (folder / "in").mkdir()
    torch.save({"state_dict": create("lenet5", num_classes=2).state_dict(), "epoch": 3}, folder / "in/lenet5.pth")


def make_run(folder: Path, random: Random) -> None:
    recipe = Recipe()
    quick = {"model": "lenet5", "epochs": 1, "batch_size": 8, "device": "cpu", "precision": "float32", "workers": 1}
    from striate.recipe import with_values

    train(classes(folder / "set", "png", 12), with_values(recipe, quick), folder / "in/run", Reporter.silent())


def open_archive(folder: Path, random: Random) -> Words:
    return ["check", str(next((folder / "in").iterdir(), folder / "in"))]


def check(folder: Path, random: Random) -> Words:
    return ["check", str(folder / "in")]


def check_json(folder: Path, random: Random) -> Words:
    return ["check", str(folder / "in"), "--json"] if random.random() < 0.5 else check(folder, random)


PACKED: tuple[Callable[[Path, Random], None], ...] = (make_images, make_idx, make_parquet, make_arrays, make_archive)
KINDS = {
    "model": Kind(make_model, open_model),
    "layout": Kind(make_layout, check_json),
    "images": Kind(make_images, check),
    "index": Kind(make_index, lambda folder, _: ["check", str(folder / "in/index.parquet")]),
    "parquet": Kind(make_parquet, check),
    "idx": Kind(make_idx, check),
    "arrays": Kind(make_arrays, open_archive),
    "archive": Kind(make_archive, open_archive),
    "masks": Kind(make_masks, check),
    "recipe": Kind(make_recipe, lambda folder, _: ["train", "/nowhere", "--recipe", str(folder / "in/recipe.toml")]),
    "manifests": Kind(
        make_manifests, lambda folder, _: ["weights", "list", "--manifests", str(folder / "in/manifests.toml")]
    ),
    "weights": Kind(
        make_weights,
        lambda folder, _: ["weights", "convert", str(folder / "in/lenet5.pth"), str(folder / "o.safetensors")],
    ),
    "run": Kind(make_run, lambda folder, _: ["train", "--resume", str(folder / "in/run")]),
    "cache": Kind(lambda folder, random: random.choice(PACKED)(folder, random), open_archive, changes=False),
}
