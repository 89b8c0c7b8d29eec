import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from objects_index import objects_index

from striate.data import Index, build
from striate.data.index import SCHEMA
from striate.data.paths import to_name
from striate.errors import DataError

ROOT = Path("somewhere")


def one_label() -> Index:
    return build(
        ROOT,
        ("ant", "bee", "cow"),
        ["a.png", "b.png", "c.png", "d.png", "e.png"],
        label=[2, 0, -1, 0, 1],
        split=["train", "train", "train", "val", None],
        reason=[None, None, None, None, "the file is empty"],
    )


def several_labels() -> Index:
    return build(
        ROOT,
        ("ant", "bee", "cow"),
        ["a.png", "b.png", "c.png", "d.png"],
        labels=[[0, 2], [], None, [1]],
        split=["train", "train", "train", "val"],
    )


# Columns ----------------------------------------------------------------------------------------------------------


def test_columns_are_those_of_the_schema() -> None:
    index = one_label()
    assert index.table.schema == SCHEMA
    assert index.table.column_names == [
        "path",
        "label",
        "labels",
        "box",
        "mask",
        "split",
        "reason",
        "boxes",
        "weight",
    ]
    assert len(index) == 5
    assert index.classes == ("ant", "bee", "cow")
    assert index.root == ROOT
    assert not index.several_labels
    assert several_labels().several_labels


def test_columns_that_are_left_out_are_empty() -> None:
    row = build(ROOT, (), ["a.png"]).table.to_pylist()
    assert row == [{"path": "a.png", **dict.fromkeys(SCHEMA.names[1:]), "label": -1}]


def test_paths_are_given_for_all_rows_or_some() -> None:
    assert one_label().paths() == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert one_label().paths([3, 0, 3]) == ["d.png", "a.png", "d.png"]
    assert one_label().paths([]) == []


def test_usable_and_labelled_rows() -> None:
    assert one_label().usable().tolist() == [True, True, True, True, False]
    assert one_label().labelled().tolist() == [True, True, False, True, True]
    assert several_labels().labelled().tolist() == [True, True, False, True]  # none of the classes is a label too


def test_rows_of_a_split_are_usable_and_labelled() -> None:
    index = one_label()
    assert index.rows("train").tolist() == [0, 1]
    assert index.rows("val").tolist() == [3]
    assert index.rows("test").tolist() == []
    assert index.with_column("split", ["test"] * 5).rows("test").tolist() == [0, 1, 3]
    assert several_labels().rows("train").tolist() == [0, 1]


def test_labels_are_class_numbers() -> None:
    labels = one_label().labels(np.array([4, 0, 0]))
    assert labels.tolist() == [1, 2, 2]
    assert labels.dtype == np.int64


def test_several_labels_are_many_hot() -> None:
    labels = several_labels().labels(np.array([3, 0, 1]))
    assert labels.tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert labels.dtype == np.float32
    assert several_labels().labels(np.array([], np.int64)).shape == (0, 3)


def test_counts_name_every_class() -> None:
    assert one_label().counts("train") == {"ant": 1, "bee": 0, "cow": 1}
    assert one_label().counts("test") == {"ant": 0, "bee": 0, "cow": 0}
    assert several_labels().counts("train") == {"ant": 1, "bee": 0, "cow": 1}


def test_an_index_without_rows_answers_too() -> None:
    index = build(ROOT, ("ant",), [])
    assert len(index) == 0
    assert index.rows("train").tolist() == []
    assert index.usable().tolist() == []
    assert index.counts("train") == {"ant": 0}


def test_a_column_is_replaced_in_a_copy() -> None:
    index = one_label()
    changed = index.with_column("reason", ["odd", None, None, None, None])
    assert changed.usable().tolist() == [False, True, True, True, True]
    assert changed.table.schema == SCHEMA
    assert index.usable().tolist() == [True, True, True, True, False]


def test_any_name_of_a_file_can_be_held() -> None:
    names = ["ants/1.png", "ants/caf\udce9.png", "ants/\ufffd\udce9.png", "ants/\ufffd.png"]
    index = build(ROOT, ("ants", "\udcff"), names, mask=["a", None, "\udcff", None])
    assert index.paths() == ["ants/1.png", "ants/caf\ufffde9.png", "ants/\ufffd--\ufffde9.png", "ants/\ufffd.png"]
    assert index.table["mask"].to_pylist() == ["a", None, "\ufffdff", None]
    assert index.classes == ("ants", "\ufffdff")
    assert [to_name(path) for path in index.paths()] == names


@pytest.mark.parametrize(("classes", "path"), [(("ants",), "\ud800.png"), (("\ud800",), "1.png")])
def test_half_a_character_is_no_name(classes: tuple[str, ...], path: str) -> None:
    with pytest.raises(DataError, match=r"^data: expected names that are text; got '\\ud800"):
        build(ROOT, classes, [path])


def test_a_class_s_name_has_a_limit() -> None:
    with pytest.raises(DataError) as caught:
        build(ROOT, ("ant", "x" * 1_000_000), ["1.png"])
    assert str(caught.value).startswith(
        "data: expected names of classes of at most 1,000 characters; got one of 1,000,000: xxxxx"
    )
    assert str(caught.value).endswith("xx. Which column or folder holds the labels?")
    assert len(str(caught.value)) < 300


def test_a_row_takes_less_than_200_bytes_beside_its_path() -> None:
    """A full row: a label, a box, a mask of the length of the path, a split; and the same with several labels."""
    n = 10_000
    paths = [f"train/class{i % 10}/image{i:06}.png" for i in range(n)]
    path_bytes = sum(map(len, paths))
    for several in (False, True):
        index = build(
            ROOT,
            [f"class{i}" for i in range(10)],
            paths,
            label=None if several else [i % 10 for i in range(n)],
            labels=[[i % 10, 3, 4] for i in range(n)] if several else None,
            split=["train"] * n,
        )
        table = index.table.set_column(3, SCHEMA.field("box"), pa.array([[0.0, 0, 9, 9]] * n, SCHEMA.field("box").type))
        table = table.set_column(4, SCHEMA.field("mask"), pa.array(paths, pa.string()))
        assert table.schema == SCHEMA
        assert 0 < (table.nbytes - path_bytes) / n < 200
        assert table.nbytes > 2 * path_bytes  # the paths and the masks are counted


# Classes ----------------------------------------------------------------------------------------------------------


def test_classes_are_matched_by_name() -> None:
    renumbered = one_label().with_classes(["cow", "dog", "bee", "ant"])
    assert renumbered.classes == ("cow", "dog", "bee", "ant")
    assert renumbered.table["label"].to_pylist() == [0, 3, -1, 3, 2]
    assert renumbered.counts("train") == {"cow": 1, "dog": 0, "bee": 0, "ant": 1}
    assert renumbered.table.schema == SCHEMA


def test_several_classes_are_matched_by_name() -> None:
    renumbered = several_labels().with_classes(["cow", "dog", "bee", "ant"])
    assert renumbered.table["labels"].to_pylist() == [[3, 0], [], None, [2]]
    assert renumbered.labels(np.array([0])).tolist() == [[1, 0, 0, 1]]


@given(st.permutations(["ant", "bee", "cow"]))
def test_names_of_labels_survive_any_order_of_classes(order: list[str]) -> None:
    index = one_label()
    renumbered = index.with_classes(order)
    names = [index.classes[i] for i in index.labels(np.array([0, 1, 3, 4])).astype(int)]
    assert [renumbered.classes[i] for i in renumbered.labels(np.array([0, 1, 3, 4])).astype(int)] == names


def test_an_unknown_class_is_named() -> None:
    sentence = (
        "classes: expected only those that the model knows (bee and dog); got also ant and cow. "
        "Rename or leave out those folders or labels."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        one_label().with_classes(["dog", "bee"])


# Fingerprint ------------------------------------------------------------------------------------------------------


def test_the_fingerprint_names_paths_and_labels_alone() -> None:
    index = one_label()
    same = [
        index,
        index.with_column("split", ["test"] * 5),
        index.with_column("reason", [None] * 5),
        Index(index.table, index.classes, Path("elsewhere")),
        Index(pa.concat_tables([index.table.slice(0, 2), index.table.slice(2)]), index.classes, ROOT),
    ]
    assert {each.fingerprint() for each in same} == {index.fingerprint()}
    assert re.fullmatch("[0-9a-f]{16}", index.fingerprint())


def test_the_fingerprint_changes_with_the_images() -> None:
    others = [
        one_label(),
        several_labels(),
        build(ROOT, ("ant", "bee", "cow"), ["a.png", "b.png", "c.png", "d.png"], labels=[[0], [], None, [1]]),
        build(ROOT, ("ant", "bee", "cow"), one_label().paths(), label=[2, 0, -1, 0, 0]),
        build(ROOT, ("ant", "bee", "dog"), one_label().paths(), label=[2, 0, -1, 0, 1]),
        build(ROOT, ("ant", "bee", "cow"), [*one_label().paths()[:4], "f.png"], label=[2, 0, -1, 0, 1]),
        build(ROOT, ("ant", "bee", "cow"), one_label().paths()[::-1], label=[2, 0, -1, 0, 1]),
    ]
    assert len({each.fingerprint() for each in others}) == len(others)


@pytest.mark.parametrize(
    ("boxes", "largest"),
    [
        ([[0, 0, 2, 2], [0, 0, 3, 3], [5, 5, 8, 8]], 1),
        ([[9, 9, 0, 0], [0, 0, 1, 1]], 1),
        ([[0, 0, math.nan, 9], [0, 0, 1, 1]], 1),
        ([[0, 0, 9, 0], [4, 4, 4, 9]], 0),
    ],
    ids=["the first of equals", "turned inside out", "not a number", "all empty"],
)
def test_the_label_is_that_of_the_largest_object(boxes: list[list[float]], largest: int) -> None:
    index = build(ROOT, ("ant", "bee", "cow"), ["a.png"], labels=[list(range(len(boxes)))], boxes=[boxes])
    assert index.table["label"].to_pylist() == [largest]
    assert not index.several_labels
    np.testing.assert_array_equal(index.table["box"].to_pylist(), [boxes[largest]])


# Objects and masks ------------------------------------------------------------------------------------------------


def test_label_and_box_are_those_of_the_largest_object() -> None:
    index = objects_index(ROOT)
    assert not index.several_labels
    assert index.table["label"].to_pylist() == [1, -1, -1]
    assert index.table["box"].to_pylist() == [[1, 1, 5, 4], None, None]
    assert index.labelled().tolist() == [True, False, False]


def test_classes_of_objects_are_renumbered_with_the_rest() -> None:
    renumbered = objects_index(ROOT).with_classes(["bee", "cow", "ant"])
    assert renumbered.table["labels"].to_pylist() == [[2, 0, 2], [], None]
    assert renumbered.table["label"].to_pylist() == [0, -1, -1]


def test_a_box_or_a_mask_is_part_of_what_a_fingerprint_names() -> None:
    index = objects_index(ROOT)
    assert index.fingerprint() == objects_index(ROOT).fingerprint()
    for column, values in (("mask", ["a", "b", None]), ("boxes", [[[0, 0, 1, 1]], None, None])):
        changed = index.with_column(column, pa.array(values, SCHEMA.field(column).type))
        assert changed.fingerprint() != index.fingerprint()
