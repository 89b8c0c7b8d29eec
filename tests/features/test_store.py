"""Entries that are whole or not there."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from striate.errors import StriateError
from striate.features.store import Layout, Store, remove_oldest

LAYOUT = Layout(((3,), (2, 2, 2)), (torch.float16, torch.bfloat16))


def digest(number: int) -> bytes:
    return number.to_bytes(16)


def values(numbers: list[int]) -> list[Tensor]:
    """What is kept of each image: its number."""
    ones = torch.tensor(numbers, dtype=torch.float32)
    return [ones[:, None].expand(-1, 3), ones[:, None, None, None].expand(-1, 2, 2, 2)]


def write(store: Store, numbers: list[int]) -> None:
    with store.writer() as writer:
        for number in numbers:
            writer.add([digest(number)], values([number]))


def kept(store: Store, numbers: list[int]) -> dict[int, float]:
    """The first value of each entry that is there."""
    found = store.find(map(digest, numbers))
    return {int.from_bytes(d): float(entries["v0"][place, 0]) for d, (entries, place) in found.items()}


@given(st.lists(st.floats(-6e4, 6e4, width=16), min_size=3, max_size=3), st.integers(1, 4))
def test_values_come_back_in_the_precision_that_they_are_kept_in(vector: list[float], n: int) -> None:
    given = [torch.tensor([vector] * n), torch.full((n, 2, 2, 2), vector[0]).bfloat16()]
    entries = LAYOUT.pack([digest(i) for i in range(n)], given)
    for back, value, dtype in zip(LAYOUT.unpack(entries), given, LAYOUT.dtypes, strict=True):
        assert back.dtype is dtype
        assert torch.equal(back.float(), value.float())


def test_entries_of_several_processes(tmp_path: Path) -> None:
    store = Store(tmp_path / "new", LAYOUT)
    with store.writer() as one, Store(tmp_path / "new", LAYOUT).writer() as two:
        one.add([digest(1)], values([1]))
        two.add([digest(1), digest(2)], values([1, 2]))
        one.add([digest(3)], values([3]))
        assert one.places().keys() == {digest(1), digest(3)}
    assert kept(store, [1, 2, 3, 4]) == {1: 1, 2: 2, 3: 3}


def test_nothing_is_made_where_nothing_is_added(tmp_path: Path) -> None:
    write(Store(tmp_path / "new", LAYOUT), [])
    assert not (tmp_path / "new").exists()


def test_a_file_cut_anywhere_loses_the_entry_that_was_cut_and_those_after_it(tmp_path: Path) -> None:
    said: list[str] = []
    store = Store(tmp_path, LAYOUT, said.append)
    write(store, [1, 2])
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    size, start = LAYOUT.entry().itemsize, len(LAYOUT.header())
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        expected = max(length - start, 0) // size
        assert kept(store, [1, 2]) == {n: n for n in range(1, expected + 1)}
    assert said == []


@pytest.mark.parametrize("place", range(LAYOUT.entry().itemsize))
def test_a_damaged_entry_is_never_given(tmp_path: Path, place: int) -> None:
    said: list[str] = []
    store = Store(tmp_path, LAYOUT, said.append)
    write(store, [1, 2])
    [path] = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(LAYOUT.header()) + place] ^= 1
    path.write_bytes(data)
    assert kept(store, [1, 2]) == {2: 2}
    in_digest = 4 <= place < 20  # the entry is then of an image that nobody asks for
    assert said == ([] if in_digest else [f"feature cache: {tmp_path}: 1 damaged entries are computed anew."])
    write(store, [1])
    assert kept(store, [1, 2]) == {1: 1, 2: 2}


def test_a_file_of_something_else_is_removed(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "a.features"
    path.write_bytes(b"something else that is long enough to be a header, and more than that, by far, and by far")
    assert kept(Store(tmp_path, LAYOUT, said.append), [1]) == {}
    assert said == [f"feature cache: {path} is damaged; it is removed, and its entries are computed anew."]
    assert not path.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    write(Store(tmp_path / "store", LAYOUT), [1])
    [path] = (tmp_path / "store").iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert kept(Store(tmp_path / "store", LAYOUT), [1]) == {}


def test_a_value_beyond_the_precision(tmp_path: Path) -> None:
    with pytest.raises(StriateError) as caught:
        write(Store(tmp_path, LAYOUT), [70_000])
    assert str(caught.value) == (
        "features: expected values that float16 can hold; got larger ones. Try --precision bfloat16."
    )


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        StriateError, match=r"expected to write the feature cache; .* another folder in STRIATE_CACHE\."
    ):
        write(Store(tmp_path / "file" / "folder", LAYOUT), [1])


def test_the_stores_that_were_used_longest_ago_go_first(tmp_path: Path) -> None:
    names = [str(n) for n in range(4)]
    for number, name in enumerate(names):
        write(Store(tmp_path / name, LAYOUT), [1])
        os.utime(tmp_path / name, (number, number))
    [file] = (tmp_path / "0").iterdir()
    remove_oldest(tmp_path, 2.5 * file.stat().st_size / 1e9, tmp_path / "0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "3"]
    remove_oldest(tmp_path / "missing", 1, tmp_path)


def test_integers_are_kept_as_they_are() -> None:
    layout = Layout(((2,),), (torch.int64,))
    [back] = layout.unpack(layout.pack([digest(1)], [torch.tensor([[2**40, -1]])]))
    assert back.tolist() == [[2**40, -1]]
    assert back.numpy().dtype == np.int64
