from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from striate.data import read
from striate.data.crops import Viewing
from striate.evaluation import Scored, evaluate, summarise
from striate.evaluation.gain import gain
from striate.model import Model
from striate.tasks.answers import Answers

MakeModel = Callable[..., Model]


@pytest.fixture
def scored(untrained: MakeModel, two_classes: Path) -> Scored:
    return evaluate(untrained(), read(two_classes), "all")


def with_mistakes(scored: Scored, wrong: list[int], seconds: float = 1.0) -> Scored:
    labels = torch.from_numpy(np.asarray(scored.index.labels(scored.rows)))
    answers = labels.clone()
    answers[wrong] = 1 - answers[wrong]
    return replace(scored, records=Answers.records(3 * one_hot(answers, 2).float(), labels), seconds=seconds)


def test_the_gain_is_that_of_the_same_images(scored: Scored) -> None:
    found = gain(with_mistakes(scored, [0], 3.0), [with_mistakes(scored, [0, 1, 2], 1.5)], "one view of each image")
    assert found.score.value == pytest.approx(2 / 24)
    assert found.score.low < 2 / 24 < found.score.high
    assert found.loss.value < 0
    assert (found.times, found.parameters) == (2.0, 1.0)


def test_over_several_it_is_that_over_their_mean(scored: Scored) -> None:
    members = [with_mistakes(scored, wrong) for wrong in ([0, 1], [2], [3, 4, 5])]
    found = gain(with_mistakes(scored, [], 6.0), members, "the mean of its members")
    assert found.score.value == pytest.approx(2 / 24)
    assert found.times == 6.0


def test_other_images_are_refused(scored: Scored) -> None:
    with pytest.raises(ValueError, match="expected evaluations of the same images"):
        gain(scored, [replace(scored, rows=scored.rows[::-1])], "one")


def test_views_are_averaged_by_their_probabilities(untrained: MakeModel, two_classes: Path) -> None:
    model = untrained()
    viewing = Viewing(5, mirror=True)
    path = next(iter(sorted(two_classes.rglob("*.png"))))
    (whole,) = model.predict([path], viewing=viewing)
    shares = []
    for window in viewing.windows(model.preprocessing):
        from striate.data import GivenImages

        image = GivenImages([path]).open(0)
        pixels = image.read(window.map(image.size, model.preprocessing.size), model.preprocessing.size, 1)
        for each in (pixels, pixels[:, ::-1]):
            outputs = model.predict_batch(torch.from_numpy(each.copy())[None])
            shares.append(model.task.probabilities(outputs))
    mean = torch.cat([share for share in shares if share is not None]).mean(dim=0)
    assert whole.probabilities["dark"] == pytest.approx(float(mean[0]), abs=1e-6)


@pytest.mark.parametrize("batch_size", [1, 37, 64])
def test_batches_of_views_change_no_score(untrained: MakeModel, two_classes: Path, batch_size: int) -> None:
    model, index = untrained(), read(two_classes)
    expected = evaluate(model, index, "all", 240, 1, Viewing(5))
    found = evaluate(model, index, "all", batch_size, 2, Viewing(5))
    assert found.rows.tolist() == expected.rows.tolist()
    torch.testing.assert_close(found.records, expected.records, rtol=1e-4, atol=1e-5)
    assert summarise(found).views == 5


def test_unreadable_images_are_named_once(
    untrained: MakeModel, write_pictures: Callable[..., Path], tmp_path: Path
) -> None:
    write_pictures(tmp_path, {"dark": 3, "light": 2})
    (tmp_path / "dark" / "01.png").write_bytes(b"")
    found = evaluate(untrained(), read(tmp_path), "all", viewing=Viewing(10))
    assert found.unreadable == ("dark/01.png: the file is empty",)
    assert len(found.records) == 4
    predictions = untrained().predict(tmp_path, viewing=Viewing(5))
    assert [bool(each.error) for each in predictions] == [False, True, False, False, False]
