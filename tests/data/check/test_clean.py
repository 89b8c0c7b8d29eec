from collections.abc import Sequence
from pathlib import Path

import pytest

from striate.augment.colour import ColourSums
from striate.data import build
from striate.data.check import Check, Finding, cleaned
from striate.data.check.duplicates import Copies
from striate.data.index_file import load_index, save_index

Row = tuple[str | None, int]  # split, label


def reasons(rows: Sequence[Row], findings: Sequence[Finding] = (), copies: Sequence[Copies] = ()) -> list[str | None]:
    splits, labels = zip(*rows, strict=True)
    paths = [f"{row}.png" for row in range(len(rows))]
    index = build(Path("data"), ("ant", "bee"), paths, label=labels, split=splits)
    after = cleaned(Check(index, index, tuple(findings), tuple(copies), ColourSums()))
    assert after.paths() == paths
    found: list[str | None] = after.table["reason"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([("train", 0), ("train", 0), ("train", 0)], 0),
        ([(None, 0), (None, 0)], 0),
        ([("train", 0), ("val", 0), ("val", 0)], 1),
        ([("train", 0), ("val", 0), ("test", 0)], 2),
        ([("train", -1), ("train", 0)], 1),  # the one that has a label
    ],
)
def test_of_copies_one_is_kept_and_train_gives_way(rows: Sequence[Row], kept: int) -> None:
    spare = [("train", 0), ("train", 1)]  # or the class would be taught no more
    copies = [Copies(tuple(range(len(rows))), (len(rows) - 1, 0, 0, 0))]
    expected = [None if row == kept else f"a copy of {kept}.png" for row in range(len(rows))]
    assert reasons([*rows, *spare], copies=copies) == [*expected, None, None]


def test_of_copies_with_different_classes_none_is_kept() -> None:
    rows = [("train", 0), ("test", 1), ("test", -1), ("train", 0), ("train", 1)]
    assert reasons(rows, copies=[Copies((0, 1, 2), (0, 0, 2, 0))]) == [
        "a copy of 1.png, which has another class",
        "a copy of 0.png, which has another class",
        "a copy of 0.png, which has another class",
        None,
        None,
    ]


def test_what_is_marked_wrongly_or_holds_nothing_is_left_out() -> None:
    findings = [
        Finding("box-empty", "(1, 1, 1, 2) on 9 x 9 pixels", rows=(0,)),
        Finding("blank", "one colour alone", rows=(0,)),
        Finding("tiny", "3 x 3 pixels", rows=(2,)),
        Finding("box-clipped", "over the edge", rows=(1,)),
        Finding("turned", "1 of 3", rows=(1,)),
    ]
    assert reasons([(None, 0)] * 3, findings) == [
        "boxes without width or height: (1, 1, 1, 2) on 9 x 9 pixels",
        None,
        "tiny images: 3 x 3 pixels",
    ]


def test_a_copy_of_what_is_left_out_stays() -> None:
    findings = [Finding("box-empty", "why", rows=(0,))]
    assert reasons([(None, 0), (None, 0)], findings, [Copies((0, 1), (1, 0, 0, 0))])[1] is None


def test_classes_that_are_never_taught_are_not_asked_for() -> None:
    rows = [("train", 0), ("val", 0), ("val", 1), ("test", 1), ("test", -1)]
    lacks = "train has no image of its class"
    assert reasons(rows) == [None, None, lacks, lacks, None]
    assert reasons([("val", 0), (None, 1)]) == [None, None]


def test_the_cleaned_index_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    index = build(Path("data"), ("ant",), ["1.png"], label=[0])
    save_index(cleaned(Check(index, index, (), (), ColourSums())), tmp_path / "clean.parquet")
    assert load_index(tmp_path / "clean.parquet").root == tmp_path / "data"
