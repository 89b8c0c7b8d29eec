"""What comes before the network: the data of a run."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from task_table import boxed

from striate import transfer
from striate.console import Reporter
from striate.data import build, read
from striate.data.index_file import load_index
from striate.errors import DataError, UsageError
from striate.evaluation import evaluate
from striate.model import load
from striate.recipe import Recipe
from striate.training import train

MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


def test_too_many_unreadable_images_stop_the_run_and_are_named(
    write_pictures: WritePictures, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 10, "light": 10})
    (data / "dark" / "03.png").write_bytes(b"")
    (data / "light" / "05.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        train(data, tiny_recipe(max_bad=0.05), tmp_path / "run", silent)
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "data: expected at most 5.0% unreadable images; got 2 of 20 (10.0%). "
        f"They are named in {tmp_path / 'run' / 'check.csv'}: mend or remove them, or raise --max-bad."
    )
    with (tmp_path / "run" / "check.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    left_out = [(row["path"], row["reason"]) for row in rows if row["used"] == "no"]
    assert [path for path, _ in left_out] == ["dark/03.png", "light/05.png"]
    assert left_out[0] == ("dark/03.png", "the file is empty")
    said = (tmp_path / "run" / "log.txt").read_text()
    assert "dark/03.png: the file is empty" in said
    assert "too many" not in said  # the error says it


def test_a_few_are_left_out(
    write_pictures: WritePictures, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 10, "light": 10})
    (data / "dark" / "03.png").write_bytes(b"")
    run = train(data, tiny_recipe(max_bad=0.05, epochs=1), tmp_path / "run", silent)
    index = load_index(run.index)
    assert int(index.usable().sum()) == 19
    used = {path for split in ("train", "val", "test") for path in index.paths(index.rows(split))}
    assert "dark/03.png" not in used
    assert len(used) == 19


def test_many_findings_are_cut_short_on_the_screen(
    write_pictures: WritePictures, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 25, "light": 4})
    for path in (data / "dark").iterdir():
        path.rename(path.with_suffix(".bmp"))
    run = train(data, tiny_recipe(epochs=1), tmp_path / "run", silent)
    log = run.log.read_text()
    told = "warning: names that do not fit the content: 25. They are read by their content; rename them."
    assert log.count(told) == 1
    assert 1 <= log.count("  dark/") <= 20
    assert re.search(rf"… and 20 more, in {re.escape(str(run.check))}", log)
    assert run.check.read_text().count("its content is PNG") == 25


def test_a_class_that_only_val_has(
    write_pictures: WritePictures, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "data" / "train", {"dark": 4, "light": 4})
    write_pictures(tmp_path / "data" / "val", {"dark": 2, "lihgt": 2})
    with pytest.raises(DataError) as caught:
        train(tmp_path / "data", tiny_recipe(), tmp_path / "run", silent)
    assert str(caught.value).startswith("val: expected only classes that train has too; got also lihgt.")


def test_where_there_is_no_data_no_folder_is_made(tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="which does not exist"):
        train(tmp_path / "none", tiny_recipe(), tmp_path / "run", silent)
    with pytest.raises(UsageError, match="Did you mean `lenet5`"):
        train(tmp_path / "none", tiny_recipe(model="lenet6"), tmp_path / "run", silent)
    assert list(tmp_path.iterdir()) == []


def test_images_that_a_task_leaves_out_are_said_in_one_line(
    tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    index = boxed(tmp_path / "data")
    boxes = [[box, box] if row < 3 else [box] for row, box in enumerate(index.table["box"].to_pylist())]
    labels = [[label] * len(each) for label, each in zip(index.table["label"].to_pylist(), boxes, strict=True)]
    several = build(index.root, index.classes, index.paths(), labels=labels, boxes=boxes)
    values: dict[str, Any] = {"model": "resnet20_cifar", "model_args": {}, "img_size": 32, "epochs": 1}
    run = train(several, tiny_recipe(**values, crop_pct=None), tmp_path / "run", silent)
    told = [line for line in run.log.read_text().splitlines() if "several objects" in line]
    assert len(told) == 1
    reason = "it shows several objects (`--boxes largest` uses such images)"
    assert told[0].endswith(f"warning: left out, because {reason}: 3 images, in {run.check}")


@pytest.mark.parametrize(
    ("count", "val_fraction", "why"),
    [
        (2, 0.15, "it takes 3 images of a class that are no copies"),
        (9, 0.0, "--val-fraction is 0"),
        (3, 0.15, ""),
    ],
)
def test_where_nothing_is_held_out_a_line_says_why(
    write_pictures: WritePictures,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    count: int,
    val_fraction: float,
    why: str,
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": count, "light": count})
    run = train(data, tiny_recipe(val_fraction=val_fraction, epochs=1), tmp_path / "run", silent)
    line = f"warning: val: no image is held out, so that no score is one of new images: {why}."
    assert (line in run.log.read_text()) is bool(why)
    assert ("no image is held out" in run.log.read_text()) is bool(why)


@pytest.mark.parametrize("count", [2, 3])
def test_a_class_of_which_no_image_is_held_out_is_named(
    write_pictures: WritePictures, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, count: int
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": count, "light": 9})
    run = train(data, tiny_recipe(epochs=1), tmp_path / "run", silent)
    line = "warning: val has no image of dark, so that its scores say nothing of that."
    assert (line in run.log.read_text()) is (count < 3)


@pytest.mark.parametrize("cache", ["on", "off"])
def test_a_run_on_bands_of_12_bits(tiny_recipe: MakeRecipe, tmp_path: Path, cache: str) -> None:
    """What is found of the data is said, kept in the model file, and used in prediction and evaluation."""
    for number in range(24):
        path = tmp_path / "data" / ("dark", "light")[number % 2] / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(number).integers(0, 1500 + 2500 * (number % 2), (40, 36, 5))
        np.save(path, values.astype(np.uint16))
    Image.new("RGB", (40, 36)).save(tmp_path / "data/dark/odd.png")
    said = io.StringIO()
    recipe = tiny_recipe(weights="none", pixel_cache=cache, augment="medium", hue=5.0, max_bad=0.05)
    run = transfer.train(tmp_path / "data", recipe, tmp_path / "run", Reporter(Console(file=said, width=1000)))
    for line in (
        "channels: 5, as many as the images have bands; --in-channels overrules.",
        "augmentation: off, because images of 5 channels have no colours: --hue.",
        "left out: 1 image that has not 5 bands",
        "0 becomes black and 4,095 white (--pixel-range overrules)",
    ):
        assert line in said.getvalue()
    model = load(run.model, device="cpu", precision="float32")
    assert model.preprocessing.pixel_range == (0, 4095)
    assert model.preprocessing.input_size == (5, 32, 32)
    scored = evaluate(model, read(tmp_path / "data"), "val")
    assert scored.metrics["accuracy"] == pytest.approx(model.metrics["accuracy"])
    path = tmp_path / "data/light/1.npy"
    [by_path, by_pixels] = model.predict([path, np.load(path)])
    assert by_path.probabilities == by_pixels.probabilities
    again = transfer.resume(run.path, None, Reporter.silent())
    assert again.read_recipe().data.pixel_range == (0, 4095)


def test_a_run_without_a_home_says_that_nothing_is_kept(
    write_pictures: WritePictures,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("STRIATE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", home)
    train(write_pictures(tmp_path / "data", {"dark": 6, "light": 6}), tiny_recipe(), tmp_path / "run", silent)
    sentence = "cache: there is no home folder, so that nothing is kept; STRIATE_CACHE names another folder."
    assert sentence in (tmp_path / "run" / "log.txt").read_text()


def test_the_home_of_a_user_who_is_not_known_is_a_name_like_others() -> None:
    with pytest.raises(DataError, match="got ~no-such-user/data, which does not exist"):
        read(Path("~no-such-user/data"))
