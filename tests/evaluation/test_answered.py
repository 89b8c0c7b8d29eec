"""Outputs that are kept answer as another pass over the images would."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from striate.data import read
from striate.data.crops import ONCE, Viewing
from striate.evaluation import evaluate
from striate.evaluation.answered import answer
from striate.model import Model


def test_scores_are_those_of_another_pass(untrained: Callable[..., Model], two_classes: Path, tmp_path: Path) -> None:
    data = shutil.copytree(two_classes, tmp_path / "data")
    model, index = untrained(), read(data)
    (data / "light" / "03.png").write_bytes(b"no image")
    kept = answer(model, index, np.arange(24), batch_size=10, workers=1)
    assert all(len(batch.images) == 0 for _, batch in kept.batches)
    colder = replace(model, task=replace(model.task, temperature=0.5))  # type: ignore[type-var]
    for each in (model, colder):
        found = evaluate(each, index, "all", batch_size=10, workers=1, answered=kept)
        expected = evaluate(each, index, "all", batch_size=10, workers=1)
        assert found.metrics == expected.metrics
        assert found.unreadable == expected.unreadable != ()
        assert found.rows.tolist() == expected.rows.tolist()


def test_outputs_of_some_rows(untrained: Callable[..., Model], two_classes: Path) -> None:
    kept = answer(untrained(), read(two_classes), np.arange(3, 24), batch_size=10, workers=1)
    every = torch.cat([outputs for outputs, _ in kept.batches])
    assert torch.equal(kept.of(np.array([3, 7, 23])), every[[0, 4, 20]])


@pytest.mark.parametrize("other", ["images", "weights", "machine", "views"])
def test_answers_to_something_else_are_not_taken(
    other: str, untrained: Callable[..., Model], two_classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, index = untrained(), read(two_classes)
    kept = answer(model, index, np.arange(5 if other == "images" else 24), workers=1)
    viewing = Viewing(mirror=True) if other == "views" else ONCE
    if other == "machine":
        model = replace(model, machine=replace(model.machine, precision="bfloat16"))
    elif other == "weights":
        model = replace(model, net=copy.deepcopy(model.net))
        with torch.no_grad():
            model.net.get_parameter("fc3.bias")[0] += 1
    asked: list[int] = []
    answered = Model.predict_batch

    def counted(model: Model, images: torch.Tensor, **more: Any) -> torch.Tensor:
        asked.append(len(images))
        return answered(model, images, **more)

    monkeypatch.setattr(Model, "predict_batch", counted)
    evaluate(model, index, "all", workers=1, viewing=viewing, answered=kept)
    assert sum(asked) == 24


def test_an_equal_model_runs_as_the_one_that_answered(
    untrained: Callable[..., Model], two_classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = untrained(), torch.zeros(2, 32, 32, 1, dtype=torch.uint8)
    kept = answer(model, read(two_classes), np.arange(24), workers=1)
    equal, other = (replace(model, net=copy.deepcopy(model.net)) for _ in range(2))
    with torch.no_grad():
        other.net.get_parameter("fc3.bias")[0] += 1
    for each in (equal, other):
        kept.lend_net(each)
    assert equal.net is model.net
    assert other.net is not model.net
    expected = other.predict_batch(images).clone()
    monkeypatch.setattr("striate.model.net_runner", lambda *given: pytest.fail("made ready to run again"))
    expected[:, 0] -= 1
    torch.testing.assert_close(equal.predict_batch(images), expected)


def test_another_model_is_asked_beside(untrained: Callable[..., Model], two_classes: Path) -> None:
    model, index, rows = untrained(), read(two_classes), np.arange(24)
    other = replace(model, net=copy.deepcopy(model.net))
    with torch.no_grad():
        other.net.get_parameter("fc3.bias")[0] += 1
    kept = answer(model, index, rows, batch_size=10, workers=1, beside=(other, rows[::5]))
    assert kept.beside is not None
    expected = kept.of(rows[::5])
    expected[:, 0] += 1
    torch.testing.assert_close(kept.beside, expected)
