"""Outputs that are kept answer as another pass over the images would."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from striate.data import read
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


def test_the_answers_to_other_images_are_refused(untrained: Callable[..., Model], two_classes: Path) -> None:
    model, index = untrained(), read(two_classes)
    kept = answer(model, index, np.arange(5), workers=1)
    with pytest.raises(ValueError, match="expected the answers to all, 24 images; got others"):
        evaluate(model, index, "all", workers=1, answered=kept)
