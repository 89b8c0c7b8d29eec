from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from striate.data.check.cache import DIGEST, cache_file, recall, recall_pairs, remember, remember_pairs
from striate.data.check.scan import RECORD
from striate.files import write_checked

A, B, C = (bytes([0, *range(1, 15), last]) for last in (0, 1, 2))  # with zero bytes at both ends


def of(*digests: bytes | None) -> pa.Array:
    return pa.array(digests, DIGEST)


def records(*widths: int) -> NDArray[np.void]:
    table = np.zeros(len(widths), RECORD)
    table["width"], table["count"] = widths, np.array(widths) > 0
    table["products"] = np.arange(9)
    return table


def test_what_was_kept_comes_back_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.seen"
    remember(path, of(A, B, None), records(3, 4, 5))
    found = recall(path, of(B, None, C, A, B))
    assert found["width"].tolist() == [4, 0, 0, 3, 4]
    assert found["count"].tolist() == [1, 0, 0, 1, 1]
    assert found["products"][0].tolist() == list(range(9))


def test_what_is_new_joins_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "records.seen"
    remember(path, of(A, B), records(3, 4))
    remember(path, of(B, C), records(7, 8))
    assert recall(path, of(A, B, C))["width"].tolist() == [3, 7, 8]


def test_what_was_not_seen_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "records.seen"
    remember(path, of(A, B), records(3, 0))
    assert recall(path, of(A, B))["width"].tolist() == [3, 0]


@pytest.mark.parametrize(
    "content", [b"", b"no numbers", b"\x93NUMPY\x01\x00v\x00{'descr'", None], ids=["empty", "text", "cut", "cut late"]
)
def test_a_broken_file_knows_nothing_and_is_made_anew(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "records.seen"
    remember(path, of(A), records(3))
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    assert recall(path, of(A))["count"].tolist() == [0]
    remember(path, of(B), records(4))
    assert recall(path, of(B))["width"].tolist() == [4]


def test_a_file_of_other_columns_knows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "records.seen"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert recall(path, of(A))["count"].tolist() == [0]
    write_checked(path, bytes(1))
    assert recall(path, of(A))["count"].tolist() == [0]


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "records.seen", of(A), records(3))
    assert recall(tmp_path / "file" / "records.seen", of(A))["count"].tolist() == [0]


def test_each_root_has_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cache_file(Path("c"), Path("a")) == cache_file(Path("c"), tmp_path / "a")
    assert cache_file(Path("c"), Path("a")) != cache_file(Path("c"), Path("b"))


def test_pairs_are_those_of_the_same_images_in_the_same_order(tmp_path: Path) -> None:
    path, pairs = tmp_path / "records.seen", np.array([[0, 1, 2], [0, 2, 3]])
    assert recall_pairs(path, of(A, B, C)) is None
    remember_pairs(path, of(A, B, C), pairs)
    assert np.array_equal(recall_pairs(path, of(A, B, C)), pairs)  # type: ignore[arg-type]
    assert recall_pairs(path, of(B, A, C)) is recall_pairs(path, of(A, B)) is None
    remember_pairs(path, of(A), np.zeros((0, 3), np.int64))
    assert recall_pairs(path, of(A)).shape == (0, 3)  # type: ignore[union-attr]


def test_no_pairs_are_kept_of_an_image_that_cannot_be_named(tmp_path: Path) -> None:
    path = tmp_path / "records.seen"
    remember_pairs(path, of(A, None), np.zeros((0, 3), np.int64))
    assert recall_pairs(path, of(A, None)) is None
    assert [*tmp_path.iterdir()] == []


def test_broken_pairs_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "records.seen"
    remember_pairs(path, of(A, B), np.zeros((1, 3), np.int64))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-3])
    assert recall_pairs(path, of(A, B)) is None
