import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate.data import build, read
from striate.errors import UsageError
from striate.evaluation import Evaluation, Scored, evaluate, summarise
from striate.model import Model
from striate.report.evaluation_files import draw_confusions, draw_worst, evaluation_folder, title_of, write_evaluation
from striate.tasks.answers import Answers
from striate.tasks.segment import Segment
from striate.tasks.segment_metrics import record

MakeModel = Callable[..., Model]


@pytest.fixture
def scored(untrained: MakeModel, two_classes: Path) -> Scored:
    """Two images of 24 are answered wrong, the second surer than the first."""
    found = evaluate(untrained(), read(two_classes), "all")
    labels = torch.from_numpy(np.asarray(found.index.labels(found.rows)))
    logits = 4 * torch.nn.functional.one_hot(labels, 2).float()
    logits[3], logits[20] = torch.tensor([0.0, 1.0]), torch.tensor([5.0, 0.0])
    return replace(found, records=Answers.records(logits, labels))


def test_the_files_say_what_the_record_says(scored: Scored, tmp_path: Path) -> None:
    found = summarise(scored)
    files = write_evaluation(scored, found, evaluation_folder(tmp_path / "out"))
    names = ["confusion.png", "evaluation.json", "mistakes.png", "predictions.csv"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in files) == names
    assert Evaluation.from_json((tmp_path / "out" / "evaluation.json").read_text()).to_json() == found.to_json()
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == scored.index.paths()
    wrong = [row for row in rows if row["truth"] != row["answer"]]
    assert [row["path"] for row in wrong] == ["dark/03.png", "light/08.png"]
    assert [row["score"] for row in wrong] == ["0", "0"]
    assert float(wrong[1]["probability"]) == pytest.approx(torch.tensor([5.0, 0.0]).softmax(0)[0].item(), abs=1e-6)
    assert float(wrong[1]["loss"]) == pytest.approx(5.0067, abs=1e-3)


def test_the_worst_mistake_is_drawn_first(scored: Scored) -> None:
    figure = draw_worst(scored, summarise(scored))
    titles = [axis.get_title() for axis in figure.axes if axis.images]
    assert titles == ["light\nnot dark (0.99)\nlight/08.png", "dark\nnot light (0.73)\ndark/03.png"]


def test_without_a_mistake_it_says_so(scored: Scored) -> None:
    labels = torch.from_numpy(np.asarray(scored.index.labels(scored.rows)))
    right = replace(scored, records=Answers.records(torch.nn.functional.one_hot(labels, 2).float(), labels))
    figure = draw_worst(right, summarise(right))
    assert [text.get_text() for text in figure.texts] == ["No mistakes in 24 images"]


def test_names_of_a_hundred_classes_are_written(scored: Scored) -> None:
    names = tuple(f"class {number}" for number in range(101))
    figure = draw_confusions(np.eye(101, dtype=np.int64), replace(summarise(scored), classes=names))
    (axis,) = figure.axes
    assert len(axis.get_yticklabels()) == 101
    assert not axis.texts
    figure = draw_confusions(np.eye(200, dtype=np.int64), replace(summarise(scored), classes=names + names[:99]))
    assert len(figure.axes[0].get_yticklabels()) < 30


def test_the_truth_stands_beside_the_answer_where_answers_have_places(tmp_path: Path, untrained: MakeModel) -> None:
    mask = np.zeros((12, 10), np.uint8)
    mask[:, 5:] = 1
    for number in range(2):
        Image.fromarray(mask * 200).save(tmp_path / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / f"{number}-mask.png")
    paths = [f"{number}.png" for number in range(2)]
    masks = [f"{number}-mask.png" for number in range(2)]
    index = build(tmp_path, (), paths, mask=masks, mask_classes=("a", "b"), mask_values={0: 0, 1: 1})
    task = Segment(("a", "b"))
    model = replace(untrained(), net=torch.nn.Conv2d(1, 2, 1), task=task)
    records = [record(answer, mask, 2, 1.0) for answer in (mask, np.zeros_like(mask))]
    scored = Scored(
        model, task.match(index), "all", "as asked", np.arange(2), torch.from_numpy(np.stack(records)).float(), 1.0
    )
    figure = draw_worst(scored, summarise(scored))
    titles = [axis.get_title() for axis in figure.axes if axis.images]
    assert titles == ["truth\n1.png", "answer: mean IoU 0.25\n"]
    files = write_evaluation(scored, summarise(scored), tmp_path)
    assert "confusion.png" not in [path.name for path in files]
    assert (tmp_path / "predictions.csv").read_text().splitlines()[2] == "1.png,,,,,0.25"


def test_a_long_name_is_cut_in_front(scored: Scored) -> None:
    example = replace(summarise(scored).worst[0], path="a/" + "b" * 50 + "$c.jpg")
    assert title_of(example).splitlines()[2] == "…" + "b" * 19 + "$c.jpg"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "no" / "folder"):
        with pytest.raises(UsageError, match="`--output`: expected a folder, or a name for one in a folder; got"):
            evaluation_folder(path)
