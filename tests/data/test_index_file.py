import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from objects_index import objects_index

from striate.data import Index, build
from striate.data.index import SCHEMA
from striate.data.index_file import is_index, load_index, save_index
from striate.errors import DataError


def one_label(root: Path) -> Index:
    return build(
        root,
        ("ant", "bee", "cow"),
        ["a.png", "b.png", "c.png", "d.png", "e.png"],
        label=[2, 0, -1, 0, 1],
        split=["train", "train", "train", "val", None],
        reason=[None, None, None, None, "the file is empty"],
    )


def several_labels(root: Path) -> Index:
    return build(root, ("ant", "bee"), ["a.png", "caf\udce9.png", "c.png"], labels=[[0, 1], [], None])


def about(**values: Any) -> bytes:
    given = {"root": ".", "classes": ["ant", "bee", "cow"], "several_labels": False, "mask_classes": []}
    return json.dumps(given | {"mask_values": {}, "notes": []} | values).encode()


def forged(file: Path, /, *, metadata: bytes | None = None, **columns: Any) -> Path:
    """An index that nobody's `save_index` wrote: two rows, of which some columns are replaced."""
    table = build(Path(), ("ant", "bee", "cow"), ["a.png", "b.png"], label=[0, 1]).table
    for name, values in columns.items():
        place = SCHEMA.get_field_index(name)
        column = pa.array(values, pa.string() if name == "split" else SCHEMA.field(name).type)
        table = table.set_column(place, SCHEMA.field(place), column.cast(SCHEMA.field(place).type))
    pq.write_table(table.replace_schema_metadata({"striate": metadata or about()}), file)
    return file


def refusal(path: Path, image_root: Path | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load_index(path, image_root)
    sentence = str(caught.value)
    assert sentence.startswith(f"index {path}: expected ")
    assert len(sentence) < 500
    return sentence.removeprefix(f"index {path}: ")


@pytest.mark.parametrize("make", [one_label, several_labels, objects_index])
def test_an_index_is_saved_and_loaded_whole(make: Callable[[Path], Index], tmp_path: Path) -> None:
    index = make(tmp_path)
    save_index(index, tmp_path / "index.parquet")
    loaded = load_index(tmp_path / "index.parquet")
    assert loaded.table.equals(index.table)
    assert loaded == replace(index, table=loaded.table)
    assert loaded.fingerprint() == index.fingerprint()
    assert is_index(tmp_path / "index.parquet")


@pytest.mark.parametrize("content", [b"", b"not Parquet", None], ids=["empty", "text", "none"])
def test_what_is_no_parquet_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    if content is not None:
        path.write_bytes(content)
    assert refusal(path).startswith("expected a Parquet file that striate wrote; ")
    assert not is_index(path)


def test_a_file_that_striate_did_not_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    pq.write_table(pa.table({"a": [1], "b": [2]}), path)
    assert refusal(path) == "expected a Parquet file that striate wrote; got one of a and b."
    assert not is_index(path)


def test_an_index_of_another_version_is_refused(tmp_path: Path) -> None:
    path = forged(tmp_path / "index.parquet")
    pq.write_table(pq.read_table(path).drop_columns("weight"), path)
    assert refusal(path) == "expected one of this version of striate; got another. Make it anew."


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (b"{}", "Object missing required field `root`"),
        (b"\xff", "invalid"),
        (b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"classes":' + b"[" * 100_000, "Expected `str`, got `array` - at `$.classes[0]`"),
        (about(classes=[1, 2, 3]), "Expected `str`, got `int` - at `$.classes[0]`"),
        (about(classes=["ant", None]), "Expected `str`, got `null` - at `$.classes[1]`"),
        (about(classes=["x" * 1001]), "Expected `str` of length <= 1000 - at `$.classes[0]`"),
        (about(several_labels="no"), "Expected `bool`, got `str` - at `$.several_labels`"),
        (about(mask_values={"a": 1}), "Expected `int`, got `str` - at `key` in `$.mask_values`"),
        (about(mask_values={str(10**30): 1}), "at `key` in `$.mask_values`"),
        (about(mask_values={"1": -1}), "Expected `int` >= 0 - at `$.mask_values[...]`"),
        (about(extra=1), "Object contains unknown field `extra`"),
        (about(root=None), "Expected `str`, got `null` - at `$.root`"),
    ],
)
def test_what_an_index_says_of_itself_has_a_form(metadata: bytes, reason: str, tmp_path: Path) -> None:
    sentence = refusal(forged(tmp_path / "index.parquet", metadata=metadata))
    assert sentence.startswith("expected one of this version of striate; ")
    assert reason in sentence
    assert sentence.endswith(". Make it anew.")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"path": [None, "b.png"]}, "a path in every row"),
        ({"label": [0, None]}, "labels from -1 to 2"),
        ({"label": [0, 3]}, "labels from -1 to 2"),
        ({"label": [-2, 0]}, "labels from -1 to 2"),
        ({"labels": [[0, 7], None]}, "class numbers from 0 to 2"),
        ({"labels": [[0, None], None]}, "class numbers from 0 to 2"),
        ({"labels": [[-1], None]}, "class numbers from 0 to 2"),
        ({"labels": [[0], None], "boxes": [[], None]}, "a class for each box"),
        ({"boxes": [[[0, 0, 1, 1]], None]}, "a class for each box"),
        ({"split": ["train", "nowhere"]}, "splits train, val and test"),
        ({"metadata": about(classes=["ant", "ant", "bee"])}, "names of classes that differ"),
        ({"metadata": about(mask_classes=["ant", "ant"])}, "names of classes in masks that differ"),
        ({"metadata": about(mask_classes=["ant"], mask_values={"0": 1})}, "masks of the classes that it names"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(columns: dict[str, Any], expected: str, tmp_path: Path) -> None:
    path = forged(tmp_path / "index.parquet", **columns)
    assert refusal(path) == f"expected {expected}; got others. Make it anew."


@pytest.mark.parametrize("column", ["path", "mask"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/hostname", "its path leads out of the data's folder"),
        ("../secret.png", "its path leads out of the data's folder"),
        ("a/../../secret.png", "its path leads out of the data's folder"),
        ("link/secret.png", "its path leads out of the data's folder"),
        ("a\0b.png", "its path cannot be followed: embedded null byte"),
        ("", "no path is given"),
        ("../train.parquet#0", "its path leads out of the data's folder"),
    ],
)
def test_nothing_outside_the_folder_is_named(name: str, reason: str, column: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path)
    path = forged(tmp_path / "data" / "index.parquet", **dict[str, Any]({column: ["a.png", name]}))
    shown = name.replace("\0", "\\x00")
    sentence = f"expected images and masks in {tmp_path / 'data'}; got {shown} in `{column}`: {reason}."
    assert refusal(path) == sentence
    left_out = forged(tmp_path / "data" / "index.parquet", reason=[None, "its path leads out"], path=["a.png", name])
    assert load_index(left_out).usable().tolist() == [True, False]  # it is never opened


@pytest.mark.parametrize("root", ["/etc", "/", "..", "../../etc", "data/../..", "link"])
def test_the_folder_of_an_index_of_another_user_is_its_own(root: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    path = forged(tmp_path / "index.parquet", metadata=about(root=root))
    assert refusal(path) == (
        "expected images in the folder of the index, because it was not made by you on this machine; "
        f"it names {root}. If that is meant, add --image-root with that folder."
    )
    assert load_index(path, tmp_path).root == tmp_path


@pytest.mark.parametrize("root", ["a\0b", "x" * 5000, "self"])
def test_a_folder_that_cannot_be_named(root: str, tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("self")
    refusal(forged(tmp_path / "index.parquet", metadata=about(root=root)))


def test_ones_own_index_may_lie_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "work"):
        (tmp_path / name).mkdir()
    path = tmp_path / "work" / "index.parquet"
    save_index(one_label(tmp_path / "data"), path)
    assert load_index(path).root == tmp_path / "data"
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache of another user"))
    assert "add --image-root with that folder" in refusal(path)


def test_an_index_may_be_moved_with_its_images(tmp_path: Path) -> None:
    path = forged(tmp_path / "index.parquet", metadata=about(root="photos"))
    assert load_index(path).root == tmp_path / "photos"


def test_a_small_file_cannot_claim_many_values(tmp_path: Path) -> None:
    path = forged(tmp_path / "index.parquet", labels=[[0] * 2_000_000, None])
    assert re.fullmatch(r"expected values that fit its [\d,]+ bytes; got 2,000,001 in a column\.", refusal(path))


def test_a_small_file_cannot_unpack_to_long_texts(tmp_path: Path) -> None:
    long = "x" * 100_000
    path = forged(tmp_path / "index.parquet", path=[long, long])
    assert "expected texts of at most 4,096 bytes in `path`" in refusal(path)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "index.parquet")
    assert not is_index(tmp_path / "index.parquet")
    assert "got a named pipe (FIFO)" in refusal(tmp_path / "index.parquet")
