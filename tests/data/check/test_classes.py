from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from striate.data import Index, build
from striate.data.check.classes import class_counts, class_findings, classes_of, split_counts


def index_of(counts: Mapping[str | None, Mapping[str, int]]) -> Index:
    """An index of so many images of each class in each split."""
    classes = sorted({name for of in counts.values() for name in of})
    rows = [(split, name) for split, of in counts.items() for name, count in of.items() for _ in range(count)]
    return build(
        Path(),
        classes,
        [f"{number}.png" for number in range(len(rows))],
        label=[classes.index(name) for _, name in rows],
        split=[split for split, _ in rows],
    )


def found(index: Index) -> list[tuple[str, str]]:
    return [(finding.kind, finding.reason) for finding in class_findings(index)]


def test_even_classes_are_not_worth_a_word() -> None:
    assert found(index_of({"train": {"ant": 20, "bee": 30}, "val": {"ant": 2, "bee": 3}})) == []
    assert found(index_of({None: {"ant": 10, "bee": 99}})) == []
    assert found(build(Path(), (), [])) == []


def test_classes_that_are_asked_for_and_never_taught() -> None:
    index = index_of({"train": {"ant": 20, "bee": 20}, "val": {"ant": 1, "Bees": 1, "wasp": 1}, "test": {"ant": 2}})
    assert found(index) == [
        ("untaught", "val has images of Bees and wasp; train has none"),
        ("not-asked", "val has no image of bee"),
        ("not-asked", "test has no image of bee"),
    ]


def test_small_classes() -> None:
    index = index_of({"train": {"ant": 1, "bee": 2, "cat": 9, "dog": 10, "emu": 20}})
    assert found(index) == [
        ("few", "1 image alone: ant"),
        ("few", "fewer than 10 images: bee and cat"),
        ("imbalance", "20 images of emu, 1 of ant: 20 times as many"),
    ]


def test_one_class_alone_is_too_few_unless_it_is_marked() -> None:
    assert found(index_of({"train": {"ant": 20, "bee": 0}})) == [("one-class", "ant alone")]
    marked = index_of({None: {"ant": 20}})
    boxes = pa.array([[0, 0, 1, 1]] * 20, pa.list_(pa.float32(), 4))
    assert found(marked.with_column("box", boxes)) == []


def test_without_splits_all_images_count() -> None:
    assert found(index_of({None: {"ant": 9, "bee": 99}})) == [
        ("few", "fewer than 10 images: ant"),
        ("imbalance", "99 images of bee, 9 of ant: 11 times as many"),
    ]


@pytest.mark.parametrize(
    ("classes", "reasons"),
    [
        (("Sea Lion", "sea_lion", "seal"), ["Sea Lion and sea_lion differ in capitals, spaces or signs alone"]),
        (("motorbike", "motorbikes"), ["motorbike and motorbikes differ by one letter"]),
        (("racoon", "raccoon", "Raccoon"), ["raccoon and Raccoon differ in capitals, spaces or signs alone",
                                            "raccoon and racoon differ by one letter"]),
        (("mosquito", "mosqiuto"), ["mosqiuto and mosquito differ by one letter"]),
        (("butterfly", "butterfry"), ["butterfly and butterfry differ by one letter"]),
        (("cat", "car", "bat", "boat", "goat"), []),
        (("class10", "class11", "n01440764", "n01440765"), []),
        (("leopard", "leotard", "snow leopard"), ["leopard and leotard differ by one letter"]),
    ],
)  # fmt: skip
def test_names_that_may_mean_the_same(classes: Sequence[str], reasons: list[str]) -> None:
    assert found(build(Path(), classes, [])) == [("similar-names", reason) for reason in reasons]


def test_images_without_a_label() -> None:
    index = build(Path(), ("ant",), ["1.png", "2.png", "3.png"], label=[0, -1, -1], reason=[None, None, "bad"])
    finding = next(finding for finding in class_findings(index) if finding.kind == "unlabelled")
    assert (finding.reason, finding.paths) == ("1 of 2 images", ("2.png",))
    assert found(build(Path(), (), ["1.png"], mask=["mask.png"])) == []


def test_counts_of_one_label_and_of_several() -> None:
    assert class_counts(index_of({"test": {"ant": 2}, "train": {"bee": 1}, None: {"ant": 1}})) == {
        "train": {"ant": 0, "bee": 1},
        "test": {"ant": 2, "bee": 0},
        "": {"ant": 1, "bee": 0},
    }
    several = build(Path(), ("ant", "bee"), ["1", "2", "3"], labels=[[0, 1], [1], None])
    assert class_counts(several) == {"": {"ant": 1, "bee": 2}}
    assert split_counts(several) == {"": 3}


def test_what_is_left_out_is_not_counted() -> None:
    index = build(
        Path(), ("ant",), ["1", "2", "3"], label=[0, 0, -1], split=["val", "train", "val"], reason=["x", None, None]
    )
    assert split_counts(index) == {"train": 1, "val": 1}
    assert class_counts(index) == {"train": {"ant": 1}}


def test_classes_of_rows() -> None:
    assert classes_of(build(Path(), ("ant", "bee"), ["1", "2"], label=[1, -1])) == [("bee",), ()]
    several = build(Path(), ("ant", "bee"), ["1", "2", "3"], labels=[[1, 0], [], None])
    assert classes_of(several) == [("ant", "bee"), (), ()]


def test_names_of_classes_are_fit_to_print() -> None:
    names = {f"{n}\x1b[2J\n": count for n, count in (("ant", 2), ("bee", 40), ("similar", 20), ("simular", 20))}
    found_of = found(index_of({"train": names, "val": {"wasp\x1b": 3}}))
    assert {kind for kind, _ in found_of} >= {"few", "imbalance", "similar-names", "untaught", "not-asked"}
    assert all(reason.isprintable() for _, reason in found_of)


@pytest.mark.parametrize(
    "names", [["x" * 900 + str(n) for n in range(1000)], [f"letter {chr(n)}" for n in range(0x4E00, 0x5E00)]]
)
def test_names_that_are_long_or_all_alike_are_not_compared(names: list[str]) -> None:
    assert {kind for kind, _ in found(build(Path(), names, ["1.png"] * len(names)))} == {"unlabelled"}
