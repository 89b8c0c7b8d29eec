import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data import Index, build, require_trainable, split
from striate.errors import DataError

ROOT = Path("somewhere")
fractions = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)).filter(lambda pair: sum(pair) < 1)


def index_of(
    counts: dict[str, int], split: Sequence[str | None] | None = None, reason: Sequence[str | None] | None = None
) -> Index:
    """An index of so many images of each class."""
    label = np.repeat(np.arange(len(counts)), list(counts.values()))
    paths = [f"{i}.png" for i in range(len(label))]
    return build(ROOT, tuple(counts), paths, label=label, split=split, reason=reason)


def parted(index: Index, val: float = 0.2, test: float = 0.1, seed: int = 0) -> Index:
    return split(index, val_fraction=val, test_fraction=test, seed=seed)


def names(index: Index) -> list[str]:
    found: list[str] = index.table["split"].to_pylist()
    return found


def test_a_share_of_each_class_is_held_out() -> None:
    index = parted(index_of({"ant": 100, "bee": 50, "cow": 10}))
    assert index.counts("val") == {"ant": 20, "bee": 10, "cow": 2}
    assert index.counts("test") == {"ant": 10, "bee": 5, "cow": 1}
    assert index.counts("train") == {"ant": 70, "bee": 35, "cow": 7}


@given(st.lists(st.integers(1, 30), min_size=2, max_size=4), fractions, st.integers(0, 2**62))
def test_every_row_has_one_split_and_every_class_is_taught(
    sizes: list[int], shares: tuple[float, float], seed: int
) -> None:
    val, test = shares
    counts = {f"class{i}": size for i, size in enumerate(sizes)}
    index = parted(index_of(counts), val, test, seed)
    assert set(names(index)) <= {"train", "val", "test"}
    require_trainable(index)
    for name, size in counts.items():
        train, held_val, held_test = (index.counts(part)[name] for part in ("train", "val", "test"))
        assert train >= 1
        assert train + held_val + held_test == size
        assert held_test == min(max(round(test * size), int(test > 0 and size >= 3)), size - 1)
        if train > 1:  # where something is left, val is not short of its share
            assert held_val >= max(round(val * size), int(val > 0 and size >= 3))


@given(st.integers(0, 2**62))
def test_a_split_is_a_function_of_the_seed(seed: int) -> None:
    index = index_of({"ant": 30, "bee": 20})
    assert names(parted(index, seed=seed)) == names(parted(index, seed=seed))


def test_other_seeds_part_otherwise() -> None:
    index = index_of({"ant": 30, "bee": 20})
    assert len({tuple(names(parted(index, seed=seed))) for seed in range(20)}) == 20


def test_held_out_rows_are_spread_over_a_class() -> None:
    """Which rows are held out is drawn, not the first or the last of each class."""
    held = np.concatenate([parted(index_of({"ant": 100}), seed=seed).rows("val") for seed in range(40)])
    assert np.bincount(held // 25, minlength=4) / len(held) == pytest.approx(0.25, abs=0.06)


def test_a_row_that_is_left_out_takes_no_place() -> None:
    """Unusable and unlabelled rows count for no share, and every row is named all the same."""
    reason = [*["the file is empty"] * 10, *[None] * 20]
    paths = [f"{i}.png" for i in range(30)]
    index = build(ROOT, ("ant",), paths, label=[0] * 20 + [-1] * 10, reason=reason)
    done = parted(index, 0.2, 0.2)
    assert done.counts("train") == {"ant": 6}
    assert (len(done.rows("val")), len(done.rows("test"))) == (2, 2)
    assert set(names(done)[:10] + names(done)[20:]) == {"train"}


def test_given_splits_stay() -> None:
    given_splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    index = index_of({"ant": 10}, split=given_splits)
    assert names(parted(index, 0.5, 0.4)) == given_splits


def test_val_comes_from_train_where_it_is_absent() -> None:
    given_splits = ["train"] * 20 + ["test"] * 10
    index = index_of({"ant": 30}, split=given_splits)
    done = parted(index, 0.25, 0.5)
    assert done.counts("val") == {"ant": 5}
    assert (done.rows("val") < 20).all()
    assert names(done)[20:] == ["test"] * 10


def test_test_is_never_made_beside_splits() -> None:
    only_train = parted(index_of({"ant": 20}, split=["train"] * 20), 0.25, 0.25)
    assert (only_train.counts("train"), only_train.counts("val")) == ({"ant": 15}, {"ant": 5})
    assert only_train.counts("test") == {"ant": 0}
    train_and_val = parted(index_of({"ant": 20}, split=["train"] * 10 + ["val"] * 10), 0.25, 0.25)
    assert (train_and_val.counts("train"), train_and_val.counts("val")) == ({"ant": 10}, {"ant": 10})


def test_rows_without_a_split_beside_rows_with_one_are_train() -> None:
    given_splits = [*[None] * 5, *["val"] * 5]
    done = parted(index_of({"ant": 10}, split=given_splits))
    assert names(done) == ["train"] * 5 + ["val"] * 5


def test_no_share_holds_nothing_out() -> None:
    assert set(names(parted(index_of({"ant": 30}), 0, 0))) == {"train"}


@pytest.mark.parametrize(
    ("size", "val", "test", "expected"),
    [
        (1, 0.15, 0.15, (1, 0, 0)),
        (1, 0.5, 0.4, (1, 0, 0)),
        (2, 0.15, 0.15, (2, 0, 0)),
        (2, 0.4, 0.4, (1, 0, 1)),
        (3, 0.15, 0.15, (1, 1, 1)),
        (3, 0.15, 0, (2, 1, 0)),
        (3, 0.5, 0.4, (1, 1, 1)),
        (4, 0.01, 0.01, (2, 1, 1)),
    ],
)
def test_tiny_classes(size: int, val: float, test: float, expected: tuple[int, int, int]) -> None:
    done = parted(index_of({"ant": size, "bee": 40}), val, test)
    assert tuple(done.counts(part)["ant"] for part in ("train", "val", "test")) == expected


def several(labels: Sequence[Sequence[int]], classes: int) -> Index:
    names = [f"class{i}" for i in range(classes)]
    return build(ROOT, names, [f"{i}.png" for i in range(len(labels))], labels=labels)


def test_several_labels_one_an_image_are_parted_exactly() -> None:
    done = parted(several([[0]] * 100 + [[1]] * 50 + [[2]] * 10, 3))
    assert list(done.counts("val").values()) == [20, 10, 2]
    assert list(done.counts("test").values()) == [10, 5, 1]


def test_each_of_several_labels_is_parted() -> None:
    """A rare class that always stands second: by the first label alone, chance would part it."""
    labels = [[0, 1]] * 20 + [[0]] * 180
    for seed in range(20):
        done = parted(several(labels, 2), 0.2, 0.1, seed)
        assert (done.counts("val"), done.counts("test")) == (
            {"class0": 40, "class1": 4},
            {"class0": 20, "class1": 2},
        )


label_sets = st.lists(st.sets(st.integers(0, 4), max_size=4).map(sorted), min_size=1, max_size=60)


@given(label_sets, fractions, st.integers(0, 2**62))
def test_every_row_of_several_labels_has_one_split_and_every_class_is_taught(
    labels: list[list[int]], shares: tuple[float, float], seed: int
) -> None:
    done = parted(several(labels, 5), *shares, seed)
    assert set(names(done)) <= {"train", "val", "test"}
    shown = {label for row in labels for label in row}
    assert all(done.counts("train")[f"class{label}"] for label in shown)
    assert names(done) == names(parted(several(labels, 5), *shares, seed))


def test_rare_classes_are_parted_better_than_by_chance() -> None:
    """Twenty classes of falling frequency, two or so an image: each held-out share is close to what was asked."""
    rng = np.random.default_rng(0)
    often = 0.5 * 0.8 ** np.arange(20)
    many_hot = rng.random((1000, 20)) < often
    labels = [np.flatnonzero(row).tolist() for row in many_hot]
    counts = many_hot.sum(axis=0)
    by_chance = rng.permuted(np.tile(np.arange(1000) < 200, (30, 1)), axis=1) @ many_hot
    error = np.abs(np.array(list(parted(several(labels, 20), 0.2, 0).counts("val").values())) - 0.2 * counts)
    assert error.mean() < np.abs(by_chance - 0.2 * counts).mean() / 3
    assert error.max() <= 3


def test_a_label_given_twice_counts_once() -> None:
    done = parted(several([[0, 0]] * 10 + [[1]] * 10, 2), 0.2, 0.1)
    assert (done.counts("val"), done.counts("test")) == ({"class0": 2, "class1": 2}, {"class0": 1, "class1": 1})


def test_without_an_image_to_learn_from_nothing_is_trained() -> None:
    sentence = "train: expected at least one labelled image; got none under somewhere."
    tried = " Try it without the folder or column of splits: train needs images too."
    for index, said in (
        (parted(index_of({})), sentence),
        (index_of({"ant": 4}, split=["val"] * 4), sentence.replace("none", "4 in val") + tried),
        (parted(index_of({"ant": 4}, reason=["the file is empty"] * 4)), sentence),
    ):
        with pytest.raises(DataError, match=f"^{re.escape(said)}$"):
            require_trainable(index)


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_is_asked_and_not_taught_is_named(part: str) -> None:
    splits = ["train", "train", part, part, part]
    index = index_of({"ant": 2, "aant": 1, "bee": 2}, split=splits)
    sentence = (
        f"{part}: expected only classes that train has too; got also aant, bee. "
        "Class names are matched between splits by name: look for a misspelt folder or label."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        require_trainable(index)


def test_a_class_that_is_taught_and_not_asked_is_fine() -> None:
    require_trainable(index_of({"ant": 2, "bee": 1}, split=["train", "val", "train"]))


def test_one_class_alone_is_for_the_task_to_judge() -> None:
    require_trainable(parted(index_of({"ant": 4})))


def test_copies_of_an_image_stay_together() -> None:
    index = build(ROOT, ("ant", "bee"), [f"{i}.png" for i in range(60)], label=[0, 1] * 30)
    groups = [(i, i + 2, i + 4) for i in range(0, 36, 6)]
    parted = split(index, val_fraction=0.2, test_fraction=0.2, seed=0).table["split"].to_pylist()
    assert any(len({parted[row] for row in group}) > 1 for group in groups)  # or the test would show nothing
    kept = split(index, val_fraction=0.2, test_fraction=0.2, seed=0, together=groups).table["split"].to_pylist()
    for group in groups:
        of_group = [parted[row] for row in group]
        expected = min(of_group, key=("train", "val", "test").index)
        assert [kept[row] for row in group] == [expected] * 3
    alone = sorted(set(range(60)) - {row for group in groups for row in group})
    assert [kept[row] for row in alone] == [parted[row] for row in alone]


@pytest.mark.parametrize("seed", range(5))
def test_images_that_all_have_copies_are_held_out_with_them(seed: int) -> None:
    """Three copies of each of six images a class, as augmentation writes them: single ones would all go to train."""
    index = build(ROOT, ("ant", "bee"), [f"{i}.png" for i in range(36)], label=[0] * 18 + [1] * 18)
    groups = [(i, i + 1, i + 2) for i in range(0, 36, 3)]
    kept = split(index, val_fraction=0.15, test_fraction=0.15, seed=seed, together=groups)
    parts = kept.table["split"].to_pylist()
    assert all(len({parts[row] for row in group}) == 1 for group in groups)
    for name in ("val", "test"):
        assert all(count >= 3 for count in kept.counts(name).values())
    assert all(count >= 6 for count in kept.counts("train").values())


def test_copies_of_one_image_or_of_two_classes_are_not_held_out() -> None:
    index = build(ROOT, ("ant", "bee"), [f"{i}.png" for i in range(24)], label=[0] * 12 + [1] * 12)
    for groups in ([range(12), range(12, 24)], [(i, i + 12) for i in range(12)]):
        kept = split(index, val_fraction=0.2, test_fraction=0.2, seed=0, together=groups)
        parts = kept.table["split"].to_pylist()
        assert all(len({parts[row] for row in group}) == 1 for group in groups)
        assert "train" in parts


def test_a_given_split_is_not_changed_to_keep_copies_together() -> None:
    given = ["train", "val", None]
    index = build(ROOT, ("ant",), ["a.png", "b.png", "c.png"], label=[0, 0, 0], split=given)
    kept = split(index, val_fraction=0.2, test_fraction=0.2, seed=0, together=[(0, 1, 2)])
    assert kept.table["split"].to_pylist() == ["train", "val", "train"]
