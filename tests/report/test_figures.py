import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import one_hot

from striate.data import Index, read
from striate.evaluation import Scored, evaluate
from striate.model import Model
from striate.report.figures import draw_confusion, draw_filters, draw_mistakes, draw_summary
from striate.tasks.answers import Answers
from striate.tasks.classify import Classify

MakeModel = Callable[..., Model]
WritePictures = Callable[[Path, Mapping[str, int]], Path]


@pytest.fixture
def canvas() -> SubFigure:
    (figure,) = np.ravel(np.array(Figure().subfigures(1, 1, squeeze=False), dtype=object))
    if not isinstance(figure, SubFigure):
        raise TypeError(f"expected a SubFigure; got {figure!r}")
    return figure


@pytest.fixture
def scored(untrained: MakeModel, two_classes: Path) -> tuple[Model, Index, Scored]:
    model, index = untrained(), read(two_classes)
    return model, index, evaluate(model, index)


def answered(scored: Scored, answers: NDArray[np.int64]) -> Scored:
    """The same images with other answers."""
    logits = one_hot(torch.from_numpy(answers), len(scored.classes)).float()
    labels = scored.index.labels(scored.rows)
    return replace(scored, records=Answers.records(logits, torch.from_numpy(labels)))


def test_the_summary_is_a_png_of_1440_by_528(scored: tuple[Model, Index, Scored], tmp_path: Path) -> None:
    path = tmp_path / "summary.png"
    draw_summary(*scored, path)
    with Image.open(path) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (1440, 528))
        grey = np.asarray(image.convert("L"))
    for part in np.array_split(grey, 3, axis=1):
        assert part.std() > 10  # something is drawn in each third
    assert list(tmp_path.iterdir()) == [path]


def test_a_summary_in_colour_with_no_mistake(
    untrained: MakeModel, write_pictures: WritePictures, tmp_path: Path
) -> None:
    index = read(write_pictures(tmp_path / "data", {"dark": 2}))
    model = untrained(("dark",), channels=3)
    draw_summary(model, index, evaluate(model, index), tmp_path / "summary.png")
    with Image.open(tmp_path / "summary.png") as image:
        assert image.size == (1440, 528)


def test_several_labels_are_refused(canvas: SubFigure, scored: tuple[Model, Index, Scored]) -> None:
    model, _, found = scored
    several = replace(model, task=Classify(model.classes, several_labels=True))
    with pytest.raises(ValueError, match="`scored`: expected one of a one-label task; got several labels an image"):
        draw_confusion(canvas, replace(found, model=several))


def test_every_cell_of_the_matrix_that_counts_something_is_labelled(
    canvas: SubFigure, scored: tuple[Model, Index, Scored]
) -> None:
    draw_confusion(canvas, answered(scored[2], np.array([0] * 9 + [1] * 15)))
    (axis,) = canvas.axes
    assert sorted(text.get_text() for text in axis.texts) == ["12", "3", "9"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["dark", "light"]
    assert canvas.get_suptitle().startswith("all: accuracy 0.")


def test_a_matrix_of_many_classes_has_no_labels(canvas: SubFigure, scored: tuple[Model, Index, Scored]) -> None:
    model, _, found = scored
    names = tuple(f"class {number}" for number in range(21))
    draw_confusion(canvas, replace(found, model=replace(model, task=Classify(names))))
    assert not canvas.axes[0].texts


@pytest.mark.parametrize(
    ("count", "channels", "title"),
    [(6, 1, "First filters"), (16, 3, "First filters"), (40, 3, "First filters (16 of 40)"), (3, 2, "First filters")],
)
def test_up_to_16_filters_are_drawn(canvas: SubFigure, count: int, channels: int, title: str) -> None:
    draw_filters(canvas, torch.randn(count, 5, 5, channels).numpy())
    assert canvas.get_suptitle() == title
    assert sum(len(axis.images) for axis in canvas.axes) == min(count, 16)


def test_filters_of_zeros_are_drawn_grey(canvas: SubFigure) -> None:
    draw_filters(canvas, np.zeros((1, 3, 3, 1), np.float32))
    values = canvas.axes[0].images[0].get_array()
    assert values is not None
    assert np.all(np.asarray(values) == 0.5)


def test_mistakes_are_drawn_with_the_truth_and_the_answer(
    canvas: SubFigure, scored: tuple[Model, Index, Scored], two_classes: Path
) -> None:
    model, index, found = scored
    answers = np.array([0] * 11 + [1] + [1] * 11 + [0])  # the last image of each class is answered wrong
    draw_mistakes(canvas, model, index, answered(found, answers))
    drawn = [axis for axis in canvas.axes if axis.images]
    assert [axis.get_title() for axis in drawn] == ["dark, not light", "light, not dark"]
    assert canvas.get_suptitle() == "Mistakes (2 of 2)"
    shown = np.asarray(drawn[0].images[0].get_array())
    assert np.array_equal(shown, np.asarray(Image.open(two_classes / "dark" / "11.png")))


def test_at_most_ten_mistakes_are_drawn(canvas: SubFigure, scored: tuple[Model, Index, Scored]) -> None:
    model, index, found = scored
    draw_mistakes(canvas, model, index, answered(found, np.array([1] * 12 + [0] * 12)))
    assert canvas.get_suptitle() == "Mistakes (10 of 24)"
    assert sum(len(axis.images) for axis in canvas.axes) == 10


def test_the_report_of_a_run_imports_no_matplotlib(tmp_path: Path) -> None:
    """It takes longer to import than the report to draw."""
    code = """
import sys
import numpy as np
import striate.explain
from striate.explain.figures import overlay
from striate.report.write import write_report

overlay(np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), np.float32))
print("matplotlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
