"""What every task promises: its loss, its records and its predictions, whatever the data are annotated with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import require_good
from PIL import Image
from task_table import ROWS, Row
from torch import Tensor, nn

import striate
from striate.data import Batch, Index, IndexedImages, Loader, Preprocessing, Rows, training_view
from striate.data.crops import ONCE, Viewing
from striate.device import choose
from striate.errors import UsageError
from striate.evaluation.scores import evaluate
from striate.model import Model, load, predict_batch
from striate.nets import create
from striate.recipe import Recipe
from striate.report.build import report
from striate.report.card import card
from striate.report.run_page import page
from striate.tasks import TASKS, Targets, Task, settled, split_targets, task_from_dict, task_of
from striate.tasks.files import drawn


@dataclass(frozen=True)
class Case:
    """A task on its data, with a network that has not learnt."""

    task: Task
    index: Index
    recipe: Recipe
    net: nn.Module
    name: str
    arguments: dict[str, Any]
    shown: Preprocessing

    def batch(self, rows: Rows, *, training: bool = False) -> Batch:
        """Some rows as evaluation or training shows them."""
        view = training_view(self.recipe.augment, self.shown, 0, 0) if training else None
        images, annotations = IndexedImages(self.index), self.task.annotations(self.index)
        [batch] = Loader(images, [rows], self.shown, view, **annotations)
        return batch

    def inputs(self, batch: Batch) -> tuple[Tensor, Targets]:
        """Images and targets."""
        return self.shown.normalise(batch.images), self.task.targets(self.index, batch, self.shown)

    def model(self) -> Model:
        """The network as what users hold."""
        return Model(
            self.net.eval(), self.name, self.arguments, self.task, self.shown, machine=choose("cpu", "float32")
        )


@pytest.fixture(params=ROWS, ids=lambda row: row.name)
def case(request: pytest.FixtureRequest, tmp_path: Path, tiny_recipe: Callable[..., Recipe]) -> Case:
    row: Row = request.param
    index = row.make(tmp_path / "data")
    recipe = settled(tiny_recipe(model=row.model, model_args={}, crop_pct=None, **row.settings), index)
    assert recipe.network.task == row.name  # as auto finds it
    task = task_of(index, recipe)
    index = task.match(index)
    name, arguments = task.net(row.model, {"in_channels": 1})
    torch.manual_seed(0)
    net = create(name, **arguments)
    data = recipe.data
    shown = Preprocessing((1, 32, 32), (0.5,), (0.5,), data.crop_pct or 1.0, data.crop_mode or "center")
    return Case(task, index, recipe, net, name, arguments, shown)


ALL = np.arange(8)


def test_each_task_has_one_row() -> None:
    assert sorted(row.name for row in ROWS) == sorted(TASKS)


def test_matching_again_changes_nothing(case: Case) -> None:
    again = case.task.match(case.index)
    assert again.table.equals(case.index.table)
    assert again.classes == case.index.classes
    assert again.mask_values == case.index.mask_values
    assert task_of(case.index, case.recipe) == case.task


def test_the_gradient_reaches_every_parameter(case: Case) -> None:
    objective = case.task.objective(case.net.train(), case.recipe, case.index)
    for module in case.net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.01)  # a head that begins at zero tells nothing to what is before it
    loss, outputs = objective(*case.inputs(case.batch(ALL, training=True)))
    assert loss.shape == ()
    assert outputs.dtype == torch.float32
    assert len(outputs) == 8
    loss.backward()
    unreached = [name for name, p in case.net.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_loss_of_a_batch_is_that_of_its_parts_by_their_mass(case: Case, weights: Any) -> None:
    recipe = replace(case.recipe, training=replace(case.recipe.training, class_weights=weights))
    index = case.index.with_column("split", ["train"] * len(case.index))
    objective = case.task.objective(case.net.eval(), recipe, index).eval()
    images, targets = case.inputs(case.batch(ALL))
    with torch.inference_mode():
        whole, _ = objective(images, targets)
        parts = list(zip(images.tensor_split(3), split_targets(targets, 3), strict=True))
        added = sum(float(objective(some, wanted)[0]) * objective.mass(wanted) for some, wanted in parts)
    assert added / objective.mass(targets) == pytest.approx(float(whole), rel=1e-4)


def test_blank_targets_are_such_as_the_loss_takes(case: Case) -> None:
    objective = case.task.objective(case.net)
    loss, _ = objective(torch.zeros(2, 1, 32, 32), case.task.blank_targets(2, (1, 32, 32)))
    assert loss.isfinite()
    with torch.device("meta"):
        meta = case.task.objective(create(case.name, **case.arguments))
        assert meta(torch.empty(2, 1, 32, 32), case.task.blank_targets(2, (1, 32, 32)))[0].shape == ()


def test_records_are_finite_and_those_of_an_image_alone(case: Case) -> None:
    def observed(rows: Rows) -> Tensor:
        batch = case.batch(rows)
        outputs = predict_batch(case.net.eval(), batch.images, case.shown, choose("cpu", "float32"))
        return case.task.observe(outputs, case.index, batch, case.shown)

    records = observed(ALL)
    assert records.shape == (8, case.task.record_width)
    assert records.dtype == torch.float32
    assert records.isfinite().all()
    alone = torch.cat([observed(ALL[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(alone, records, rtol=1e-3, atol=1e-3)
    metrics = case.task.metrics(records)
    assert case.task.score in metrics
    assert all(
        metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]
        for name in metrics
        if f"{name}_low" in metrics
    )
    assert case.task.line(metrics)
    grouped = case.task.metrics(records, ALL // 4)
    assert {name: value for name, value in grouped.items() if not name.endswith(("_low", "_high"))} == {
        name: value for name, value in metrics.items() if not name.endswith(("_low", "_high"))
    }
    assert grouped != metrics
    assert set(case.task.shares) <= metrics.keys()
    scores = case.task.record_scores(records)
    assert scores.shape == (8,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert case.task.answers(records).shape == (8,)
    confusion = case.task.confusion(records)
    assert confusion is None or confusion.sum() == 8


def test_image_scores_are_shares(case: Case) -> None:
    images, targets = case.inputs(case.batch(ALL))
    with torch.inference_mode():
        scores = case.task.image_scores(case.net.eval()(images), targets)
    assert scores.shape == (8,)
    assert bool(((scores >= 0) & (scores <= 1)).all())


def test_a_model_file_gives_the_same_predictions(case: Case, tmp_path: Path) -> None:
    model = case.model()
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", device="cpu", precision="float32")
    assert again.task == case.task
    assert again.preprocessing == case.shown
    files = [case.index.root / path for path in case.index.paths()]
    rows = [each.row(2) for each in model.predict(files)]
    assert [each.row(2) for each in again.predict(files)] == rows
    alone = [again.predict(file).row(2) for file in files]
    for row, other in zip(rows, alone, strict=True):
        assert row.keys() == other.keys()
        assert [value for value in row.values() if isinstance(value, str)][1:] == [
            value for value in other.values() if isinstance(value, str)
        ][1:]
        numbers = [[value for value in each.values() if isinstance(value, float)] for each in (row, other)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-3)


def test_the_truth_is_a_prediction_of_the_same_kind(case: Case) -> None:
    path = case.index.root / "00.png"
    answer = case.model().predict(path)
    with Image.open(path) as image:
        truth = case.task.truth(case.index, 0, image.size)
        assert drawn(truth, image, case.task.classes).size == image.size
    assert type(truth) is type(answer)
    assert truth.path == "00.png"
    assert truth.label in case.task.classes
    assert list(truth.row(2)) == list(answer.row(2))


def test_an_image_that_cannot_be_read_has_a_row_of_the_same_keys(case: Case) -> None:
    sources: list[Path | bytes | str] = [case.index.root / "00.png", b""]
    good, bad = case.model().predict(sources)  # type: ignore[arg-type]  # of several kinds, as `Source` has them
    assert bad.error
    assert list(good.row(2)) == list(bad.row(2))
    assert bad.row(2)["error"] == bad.error
    assert good.row(2)["error"] == ""


def test_what_a_model_file_says_of_the_task_is_checked(case: Case) -> None:
    values = case.task.to_dict()
    assert task_from_dict(case.task.classes, values) == case.task
    for key in values.keys() - {"name"}:
        with pytest.raises((TypeError, ValueError)):
            task_from_dict(case.task.classes, {**values, key: "maybe"})


def test_the_mean_over_mirror_images_is_the_same_for_an_image_and_its_mirror_image(case: Case) -> None:
    model, images = case.model(), case.batch(ALL).images
    mean = model.predict_batch(images, mirrored=True)
    torch.testing.assert_close(case.task.unmirror(model.predict_batch(images.flip(2), mirrored=True)), mean)
    outputs = [model.predict_batch(images), case.task.unmirror(model.predict_batch(images.flip(2)))]
    each = [case.task.probabilities(values) for values in outputs]
    averaged = case.task.probabilities(case.task.average(outputs))
    if each[0] is not None and each[1] is not None and averaged is not None:
        torch.testing.assert_close(averaged, (each[0] + each[1]) / 2, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(case.task.average(outputs), mean)


def test_predictions_are_of_the_types_that_the_package_names(case: Case) -> None:
    image = case.index.root / "00.png"
    found = case.model().predict([image])[0]
    with Image.open(image) as opened:
        width, height = opened.size
    match case.task.name:
        case "locate":
            assert isinstance(found, striate.Located)
            assert found.size == (width, height)
            assert found.box is not None
        case "segment":
            assert isinstance(found, striate.Segmented)
            assert found.mask is not None
            assert found.mask.shape == (height, width)
        case _:
            assert type(found) is striate.Prediction
    assert found.label in case.task.classes
    assert sum(found.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("size", [(33, 47), (37, 32), (45, 35)])
def test_odd_sizes_of_input_are_answered_and_learned_from(case: Case, size: tuple[int, int]) -> None:
    if case.name == "lenet5":
        pytest.skip("its last layers take one size")
    odd = replace(case, shown=replace(case.shown, input_size=(1, *size)))
    batch = odd.batch(ALL, training=True)
    images, targets = odd.inputs(batch)
    assert images.shape == (8, 1, *size)
    loss, _ = case.task.objective(case.net.train(), case.recipe, case.index)(images, targets)
    loss.backward()
    assert loss.isfinite()
    outputs = predict_batch(case.net.eval(), batch.images, odd.shown, choose("cpu", "float32"))
    assert case.task.observe(outputs, case.index, batch, odd.shown).isfinite().all()
    alone = predict_batch(case.net, batch.images[:1], odd.shown, choose("cpu", "float32"))
    torch.testing.assert_close(alone, outputs[:1], rtol=1e-4, atol=1e-4)


def test_windows_are_for_tasks_that_answer_with_maps(case: Case) -> None:
    model, path, by_windows = case.model(), case.index.root / "00.png", Viewing(window=16)
    index = case.index.with_column("split", ["test"] * len(case.index))
    if case.task.name != "segment":
        with pytest.raises(UsageError) as caught:
            model.predict(path, viewing=by_windows)
        assert str(caught.value) == (
            f"`window`: expected a model that names pixels; got one of the task {case.task.name}."
        )
        return
    whole, of_windows = (model.predict(path, viewing=viewing) for viewing in (ONCE, by_windows))
    assert of_windows.mask.shape == whole.mask.shape
    scored = evaluate(model, index, "test", viewing=by_windows)
    assert scored.metrics["count"] == len(index)
    assert not torch.equal(scored.records, evaluate(model, index, "test").records)
    assert evaluate(model, index, "test", viewing=Viewing(window=10_000)).records.isfinite().all()
    unread, read = model.predict_each([b"", path.read_bytes()], viewing=by_windows)
    assert unread.error
    assert isinstance(read, striate.Segmented)
    assert read.mask is not None
    assert np.array_equal(read.mask, of_windows.mask)
    model.about["recipe"] = {"data": {"max_pixels": 2000}}
    with pytest.raises(UsageError, match="`window`: expected one by which images grow to 2,000 pixels at most; got 16"):
        model.predict(path, viewing=by_windows)


def test_a_report_and_a_model_card_of_it_can_be_written(case: Case, tmp_path: Path) -> None:
    index = case.index.with_column("split", ["test"] * len(case.index))
    found = report(evaluate(case.model(), index, "test", workers=1), tmp_path / "m.safetensors", workers=1)
    shown = require_good(page(found))
    assert found.verdict.headline.replace("\N{NO-BREAK SPACE}", " ") in shown.words
    placed = bool(case.task.annotations(case.index))
    truths = [values["alt"] for values in shown.all("img") if values["alt"].endswith(": truth")]
    assert len(truths) == (len(found.worst) if placed else 0)
    assert f'pipeline_tag: "{case.task.pipeline_tag}"' in card(found)
