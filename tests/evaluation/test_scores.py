import csv
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from rich.console import Console

from striate.console import Reporter
from striate.data import read
from striate.data.crops import Viewing
from striate.data.index_file import load_index
from striate.errors import DataError
from striate.evaluation import evaluate, evaluation_rows
from striate.model import Model, load
from striate.recipe import Recipe
from striate.training import RunFolder, train

MakeModel = Callable[..., Model]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


@pytest.fixture(scope="module")
def trained(finished: RunFolder) -> Model:
    return load(finished.model, device="cpu", precision="float32")


# Which images


def test_a_test_split_that_the_data_has_is_taken(
    write_pictures: WritePictures, untrained: MakeModel, tmp_path: Path
) -> None:
    for name, count in (("train", 4), ("val", 3), ("test", 2)):
        write_pictures(tmp_path / name, {"dark": count, "light": count})
    index = read(tmp_path)
    name, rows, why = evaluation_rows(untrained(), index, "auto")
    assert (name, why) == ("test", "held out from training")
    assert all(path.startswith("test/") for path in index.paths(rows))
    assert len(rows) == 4


def test_without_a_test_split_val_is_taken_and_told(
    write_pictures: WritePictures, untrained: MakeModel, tmp_path: Path
) -> None:
    for name, count in (("train", 4), ("val", 3)):
        write_pictures(tmp_path / name, {"dark": count, "light": count})
    index = read(tmp_path)
    name, rows, why = evaluation_rows(untrained(), index, "auto")
    assert (name, why) == ("val", "there is no test split; val also chose the best epoch")
    assert all(path.startswith("val/") for path in index.paths(rows))
    assert len(rows) == 6
    fitted = replace(untrained(), about={"head": {}})  # in one step: val chose nothing
    assert evaluation_rows(fitted, index, "auto")[2] == "there is no test split"


def test_the_data_of_the_training_is_split_as_it_was_then(
    trained: Model, two_classes: Path, finished: RunFolder
) -> None:
    index, then = read(two_classes), load_index(finished.index)
    for which in ("train", "val", "test"):
        name, rows, why = evaluation_rows(trained, index, which)
        assert (name, why) == (which, "as asked")
        assert index.paths(rows) == then.paths(then.rows(which))
    name, rows, why = evaluation_rows(trained, index, "auto")
    assert (name, why) == ("test", "held out from training")
    assert index.paths(rows) == then.paths(then.rows("test"))


def test_copies_of_an_image_are_together_as_they_were_then(
    write_pictures: WritePictures, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 12, "light": 12})
    for name in ("dark", "light"):
        for path in sorted((data / name).iterdir())[::2]:
            shutil.copy(path, path.with_stem(f"{path.stem} again"))
    run = train(data, tiny_recipe(epochs=1, val_fraction=0.3, test_fraction=0.3), tmp_path / "run", silent)
    model, then = load(run.model, device="cpu", precision="float32"), load_index(run.index)
    for which in ("train", "val", "test"):
        _, rows, _ = evaluation_rows(model, read(data), which)
        assert read(data).paths(rows) == then.paths(then.rows(which))
    digests = [{(data / path).read_bytes() for path in then.paths(then.rows(which))} for which in ("train", "test")]
    assert digests[0].isdisjoint(digests[1])


@pytest.mark.parametrize("keep_leaks", [False, True])
def test_train_is_what_the_run_trained_on(
    write_pictures: WritePictures, tiny_recipe: Callable[..., Recipe], tmp_path: Path, *, keep_leaks: bool
) -> None:
    """Where the data itself parts copies of an image, those in train are left out, unless they are to stay."""
    for name in ("train", "val"):
        write_pictures(tmp_path / "data" / name, {"dark": 8, "light": 8})
    for path in (tmp_path / "data/val").glob("*/*"):  # the same pixels in both, but for the first two
        if path.stem > "01":
            Image.effect_noise((32, 32), 40 + int(path.stem)).save(path)
    said = io.StringIO()
    reporter = Reporter(Console(file=said, width=1000))
    run = train(tmp_path / "data", tiny_recipe(epochs=1, keep_leaks=keep_leaks), tmp_path / "run", reporter)
    model, then = load(run.model, device="cpu", precision="float32"), load_index(run.index)
    _, rows, _ = evaluation_rows(model, read(tmp_path / "data"), "train")
    assert then.paths(then.rows("train")) == read(tmp_path / "data").paths(rows)
    assert len(rows) == (16 if keep_leaks else 12)
    assert "4 of 16 images of train" in said.getvalue()
    with run.check.open(newline="") as file:
        left_out = [row["path"] for row in csv.DictReader(file) if row["used"] == "no"]
    assert left_out == ([] if keep_leaks else [f"train/{name}/0{n}.png" for name in ("dark", "light") for n in (0, 1)])


def test_other_data_without_splits_is_taken_whole(
    trained: Model, write_pictures: WritePictures, tmp_path: Path
) -> None:
    index = read(write_pictures(tmp_path, {"dark": 5, "light": 3}))
    name, rows, why = evaluation_rows(trained, index, "auto")
    assert (name, len(rows)) == ("all", 8)
    assert why.startswith("the data has no splits, and is not what the model was trained on; a score is too good if ")
    unknown = replace(trained, about={})
    _, _, why = evaluation_rows(unknown, index, "auto")
    assert why.startswith("the data has no splits, and the model does not say what it was trained on; ")


def test_other_data_of_train_alone_is_taken_whole(
    trained: Model, write_pictures: WritePictures, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "train", {"dark": 5, "light": 3})
    name, rows, why = evaluation_rows(trained, read(tmp_path), "auto")
    assert (name, len(rows)) == ("all", 8)
    assert why.startswith("the data has neither val nor test, and is not what the model was trained on; ")


def test_a_run_that_held_nothing_out_has_no_score(
    write_pictures: WritePictures, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 2, "light": 2})
    run = train(data, tiny_recipe(epochs=1), tmp_path / "run", silent)
    with pytest.raises(DataError) as caught:
        evaluate(load(run.model), read(data))
    assert str(caught.value) == (
        "data: expected images that were held out from training; got none, so that a score would tell nothing of new "
        "images. Try it on others, or --split train."
    )


def test_all_of_the_data_of_the_training_if_asked(trained: Model, two_classes: Path) -> None:
    name, rows, why = evaluation_rows(trained, read(two_classes), "all")
    assert (name, len(rows), why) == ("all", 24, "as asked")


def test_a_split_that_is_not_there(trained: Model, write_pictures: WritePictures, tmp_path: Path) -> None:
    index = read(write_pictures(tmp_path, {"dark": 5, "light": 3}))
    with pytest.raises(DataError) as caught:
        evaluate(trained, index, "val")
    assert str(caught.value) == "val: expected at least one labelled image; got 8 without a split. Try --split all."
    write_pictures(tmp_path / "parted/train", {"dark": 5, "light": 3})
    write_pictures(tmp_path / "parted/test", {"dark": 2, "light": 1})
    with pytest.raises(DataError) as caught:
        evaluate(trained, read(tmp_path / "parted"), "val")
    assert str(caught.value) == (
        "val: expected at least one labelled image; got 8 in train and 3 in test. Try --split test."
    )


# The scores


def test_scores_agree_with_the_predictions(trained: Model, two_classes: Path) -> None:
    result = evaluate(trained, read(two_classes), "all")
    predictions = {prediction.path: prediction for prediction in trained.predict(two_classes)}
    right = [Path(path).parent.name == prediction.label for path, prediction in predictions.items()]
    assert result.metrics["count"] == 24
    assert result.metrics["accuracy"] == sum(right) / 24
    losses = [-np.log(p.probabilities[Path(path).parent.name]) for path, p in predictions.items()]
    assert result.metrics["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    paths = read(two_classes).paths(result.rows)
    assert [trained.classes[answer] for answer in result.answers] == [
        predictions[str(two_classes / path)].label for path in paths
    ]


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (5, 3), (64, None)])
def test_batches_and_workers_change_no_score(
    trained: Model, two_classes: Path, batch_size: int, workers: int | None
) -> None:
    expected = evaluate(trained, read(two_classes), "all", 24, 1)
    result = evaluate(trained, read(two_classes), "all", batch_size, workers)
    assert result.metrics == pytest.approx(expected.metrics, rel=1e-5)
    assert result.answers.tolist() == expected.answers.tolist()


def test_mirrored_scores_are_the_same_of_pictures_and_of_their_mirror_images(
    untrained: MakeModel, write_pictures: WritePictures, tmp_path: Path
) -> None:
    model = untrained(("dark", "light"))
    data = read(write_pictures(tmp_path / "a", {"light": 3, "dark": 5}))
    for path in data.paths(np.arange(len(data))):
        (tmp_path / "b" / path).parent.mkdir(parents=True, exist_ok=True)
        with Image.open(tmp_path / "a" / path) as image:
            ImageOps.mirror(image).save(tmp_path / "b" / path)
    both = [
        evaluate(model, each, viewing=Viewing(mirror=True)).metrics["loss"] for each in (data, read(tmp_path / "b"))
    ]
    plain = [evaluate(model, each).metrics["loss"] for each in (data, read(tmp_path / "b"))]
    assert both[0] == pytest.approx(both[1], rel=1e-6)
    assert plain[0] != pytest.approx(plain[1], rel=1e-6)


def test_classes_are_matched_by_name(untrained: MakeModel, write_pictures: WritePictures, tmp_path: Path) -> None:
    data = read(write_pictures(tmp_path, {"light": 3, "dark": 5}))
    assert data.classes == ("dark", "light")
    model = untrained(("zebra", "light", "ape", "dark"))
    result = evaluate(model, data)
    assert result.classes == model.classes
    assert result.confusion is not None
    assert result.confusion.sum(axis=1).tolist() == [0, 3, 0, 5]


def test_a_class_that_the_model_does_not_know(
    untrained: MakeModel, write_pictures: WritePictures, tmp_path: Path
) -> None:
    data = read(write_pictures(tmp_path, {"light": 1, "drak": 1, "noon": 1}))
    with pytest.raises(DataError) as caught:
        evaluate(untrained(), data)
    assert str(caught.value) == (
        "classes: expected only those that the model knows (dark and light); got also drak and noon. "
        "Rename or leave out those folders or labels."
    )


def test_unreadable_pictures_are_left_out_and_named(
    trained: Model, write_pictures: WritePictures, tmp_path: Path
) -> None:
    write_pictures(tmp_path, {"dark": 4, "light": 4})
    whole = evaluate(trained, read(tmp_path))
    (tmp_path / "dark" / "01.png").write_bytes(b"")
    (tmp_path / "dark" / "notes.txt").write_text("no image by its name")
    result = evaluate(trained, read(tmp_path))
    assert result.unreadable == ("dark/01.png: the file is empty",)
    assert result.metrics["count"] == 7
    assert len(result.rows) == len(result.answers) == 7
    assert result.answers.tolist() == np.delete(whole.answers, 1).tolist()


def test_nothing_that_can_be_read(trained: Model, write_pictures: WritePictures, tmp_path: Path) -> None:
    write_pictures(tmp_path, {"dark": 2})
    for path in (tmp_path / "dark").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        evaluate(trained, read(tmp_path))
    assert str(caught.value) == "all: expected at least one readable image; got none of 2."


def test_a_table_without_rows(trained: Model, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("path,label\n")
    with pytest.raises(DataError, match="expected images to evaluate on; got none"):
        evaluate(trained, read(tmp_path / "a.csv"))


def test_the_limit_of_pixels_is_that_of_the_training(trained: Model, two_classes: Path) -> None:
    model = replace(trained, about={"recipe": {"data": {"max_pixels": 1000}}})
    with pytest.raises(DataError, match="expected at least one readable image; got none of 24"):
        evaluate(model, read(two_classes))


def test_how_far_it_is_is_told(trained: Model, two_classes: Path) -> None:
    told: list[tuple[str, int]] = []

    @contextmanager
    def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
        told.append((title, total))
        yield lambda count: told.append(("done", count))

    evaluate(trained, read(two_classes), "all", batch_size=10, progress=progress)
    assert told[0] == ("scoring", 24)
    assert sum(count for _, count in told[1:]) == 24
    assert len(told) > 2


def test_scores_are_computed_with_the_threads_of_the_model(
    write_pictures: WritePictures, untrained: MakeModel, tmp_path: Path
) -> None:
    """Another number of threads changes last digits of sums in float32."""
    index = read(write_pictures(tmp_path, {"dark": 2, "light": 2}))
    seen: list[int] = []

    @contextmanager
    def watched(title: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: seen.append(torch.get_num_threads())

    model = untrained()
    for threads, expected in ((2, 2), (None, torch.get_num_threads())):
        evaluate(replace(model, machine=replace(model.machine, threads=threads)), index, "all", progress=watched)
        assert seen.pop() == expected
