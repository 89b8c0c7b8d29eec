from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from striate.data import Index, index_of
from striate.errors import DataError

ROWS = [("a/1.png", "cat"), ("a/2.png", "dog"), ("b/3.png", "cat")]
PATHS, LABELS = [path for path, _ in ROWS], [label for _, label in ROWS]


class Frame:
    """A table of another library that speaks Arrow's interface, as polars does."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.table({"path": PATHS, "label": LABELS}).__arrow_c_stream__(requested_schema)


def shown(index: Index) -> list[tuple[str, str]]:
    """The path, as it was given, and the class of each row."""
    every = np.arange(len(index))
    names = [index.classes[number] for number in index.labels(every)]
    paths = [str((index.root / path).relative_to(Path.cwd())) for path in index.paths()]
    return list(zip(paths, names, strict=True))


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        tuple(list(row) for row in ROWS),
        [{"path": path, "label": label} for path, label in ROWS],
        {"path": PATHS, "label": LABELS},
        pa.table({"path": PATHS, "label": LABELS}),
        Frame(),
        [(Path(path), label) for path, label in ROWS],
    ],
    ids=["pairs", "lists", "dicts", "columns", "arrow", "arrow interface", "paths"],
)
def test_every_form_is_the_same_index(data: Any) -> None:
    index = index_of(data)
    assert index.classes == ("cat", "dog")
    assert shown(index) == ROWS
    assert not index.several_labels
    assert index.root == Path.cwd()


def test_a_dict_of_classes() -> None:
    index = index_of({"dog": ["a/2.png"], "cat": [Path("a/1.png"), "b/3.png"]})
    assert sorted(shown(index)) == sorted(ROWS)


def test_a_pandas_table() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"file": list(map(Path, PATHS)), "class": LABELS, "split": ["train", "val", "test"]})
    index = index_of(frame, path_column="file", label_column="class")
    assert shown(index) == ROWS
    assert [index.paths(index.rows(split)) for split in ("train", "val", "test")] == [
        ["a/1.png"],
        ["a/2.png"],
        ["b/3.png"],
    ]


def test_empty_cells_of_pandas_are_none() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"path": PATHS, "label": ["cat", None, float("nan")], "weight": [1.0, float("nan"), 2.0]})
    index = index_of(frame)
    assert index.labelled().tolist() == [True, False, False]
    assert index.table["weight"].to_pylist() == [1.0, None, 2.0]


def test_paths_may_be_absolute_and_start_from_what_they_share(tmp_path: Path) -> None:
    index = index_of([(tmp_path / "x" / "1.png", 0), (tmp_path / "x" / "y" / "2.png", 1)])
    assert index.root == tmp_path / "x"
    assert index.paths() == ["1.png", "y/2.png"]


def test_numbers_are_in_their_own_order_and_texts_in_theirs() -> None:
    assert index_of([("1.png", 10), ("2.png", 9)]).classes == ("9", "10")
    assert index_of([("1.png", "10"), ("2.png", "9")]).classes == ("10", "9")


def test_several_labels_and_none() -> None:
    index = index_of([("1.png", ["cat", "dog"]), ("2.png", []), ("3.png", None)])
    assert index.several_labels
    assert index.labels(np.arange(2)).tolist() == [[1, 1], [0, 0]]
    assert index.labelled().tolist() == [True, True, False]
    assert index_of([("1.png", "cat"), ("2.png", None)]).labelled().tolist() == [True, False]


def test_split_weight_and_box_are_taken() -> None:
    columns = {"path": PATHS, "label": LABELS, "split": ["train", None, "val"], "weight": [1, 2, 3]}
    index = index_of(columns | {"box": [[0, 0, 1, 2], None, [1, 1, 3, 3]], "colour": ["red", "red", "blue"]})
    assert index.table["split"].to_pylist() == ["train", None, "val"]
    assert index.table["weight"].to_pylist() == [1, 2, 3]
    assert index.table["box"].to_pylist() == [[0, 0, 1, 2], None, [1, 1, 3, 3]]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "data: expected images; got none."),
        ({"path": [], "label": []}, "data: expected images; got none."),
        (
            [("a.png", "cat"), "b.png"],
            "data: expected (path, label) or a dict as each element; got 'b.png' at place 1.",
        ),
        ({"cat": "a.png"}, "data: expected a list of paths for the class cat; got 'a.png'. Try ['a.png']."),
        (
            pa.table({"paths": ["a.png"]}),
            "data: expected a column `path` of paths; got the columns paths. Did you mean `paths`?",
        ),
        (
            5,
            "data: expected a path, an index, a list of (path, label), a dict, or a pandas or Arrow table; got int.",
        ),
        (
            {"path": ["a.png"], "split": ["training"]},
            "split: expected train, val, test or None; got 'training'. Did you mean `train`?",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(data: Any, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        index_of(data)
    assert str(caught.value) == sentence
