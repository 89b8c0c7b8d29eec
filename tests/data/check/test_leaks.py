from collections.abc import Sequence
from pathlib import Path

import pytest

from striate.data import Index, build
from striate.data.check import leaks
from striate.data.check.duplicates import Copies
from striate.data.check.leaks import Leak
from striate.errors import DataError


def index_of(splits: Sequence[str | None], labels: Sequence[int], reasons: Sequence[str | None] | None = None) -> Index:
    names = [f"{row}.png" for row in range(len(splits))]
    return build(Path("data"), ("ant", "bee"), names, label=labels, split=splits, reason=reasons)


def copies(*rows: int) -> Copies:
    return Copies(rows, (len(rows) - 1, 0, 0, 0))


def test_only_what_train_shares_with_val_or_test_leaks() -> None:
    index = index_of(["train", "train", "val", "train", "test", "val", "test", None], [0] * 8)
    groups = [copies(0, 1), copies(3, 4), copies(2, 6), copies(5, 7)]
    assert leaks.leaks(index, groups) == [Leak(3, 4, "test")]


def test_each_row_of_train_leaks_once_and_val_is_named_before_test() -> None:
    index = index_of(["train", "test", "val", "train"], [0, 0, 0, 1])
    assert leaks.leaks(index, [copies(0, 1, 2, 3)]) == [Leak(0, 2, "val"), Leak(3, 2, "val")]


def test_what_is_not_used_neither_leaks_nor_makes_another_leak() -> None:
    index = index_of(["train", "val", "train", "val"], [0] * 4, ["gone", None, None, "gone"])
    assert leaks.leaks(index, [copies(0, 1), copies(2, 3)]) == []


def test_left_out_rows_have_a_reason_and_a_line_in_the_findings() -> None:
    index = index_of(["train", "val", "train"], [0, 0, 0])
    found = leaks.leaks(index, [copies(0, 1)])
    left = leaks.without(index, found)
    assert left.rows("train").tolist() == [2]
    assert left.rows("val").tolist() == [1]
    [line] = leaks.findings(left, found)
    assert (line.path, line.used, line.reason) == ("0.png", False, "a copy, or nearly, of 1.png in val")


def test_a_class_of_which_nothing_would_be_left() -> None:
    index = index_of(["train", "val", "train", "val"], [0, 0, 1, 1])
    with pytest.raises(DataError) as caught:
        leaks.without(index, leaks.leaks(index, [copies(0, 1)]))
    assert str(caught.value) == (
        "train: expected images of ant that val and test have not got too; got copies of theirs alone. Put other "
        "images into val and test, or try --keep-leaks, whose scores count what was trained on."
    )


def test_what_is_said() -> None:
    index = index_of(["train", "val", "train", "test", "train"], [0] * 5)
    found = leaks.leaks(index, [copies(0, 1), copies(2, 3)])
    assert leaks.sentence(index, found, keep=False) == (
        "left out of training: 2 of 3 images of train, copies, or nearly, of images in val (1) and test (1), such as "
        "0.png of 1.png; --keep-leaks trains on them"
    )
    assert leaks.sentence(index, found, keep=True) == (
        "warning: 2 of 3 images of train are copies, or nearly, of images in val (1) and test (1), such as 0.png of "
        "1.png; --keep-leaks trains on them, so scores count what was trained on"
    )
