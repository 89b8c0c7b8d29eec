import gc
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from reading import column, refusal

from striate.data import IndexedImages, UnreadableError, read
from striate.data.readers.parquet import load_images
from striate.errors import DataError


def png(width: int) -> bytes:
    """A image that its width tells apart."""
    file = io.BytesIO()
    Image.new("L", (width, 2)).save(file, "PNG")
    return file.getvalue()


def declaring(names: Sequence[str] | None, column: str = "label") -> dict[str, str]:
    """The schema's metadata as the `datasets` library writes it."""
    label = {"_type": "Value", "dtype": "int64"} if names is None else {"_type": "ClassLabel", "names": names}
    return {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}, column: label}}})}


def parquet(
    path: Path,
    labels: Sequence[object],
    metadata: dict[str, str] | None = None,
    images: Sequence[object] | None = None,
    label_column: str = "label",
) -> Path:
    """A file of one image a label, of the widths 1, 2, ..."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"bytes": png(i + 1), "path": f"{i}.png"} for i in range(len(labels))] if images is None else images
    table = pa.table({"image": rows, label_column: list(labels)})
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_declared_names_are_the_classes_in_their_order(tmp_path: Path) -> None:
    path = parquet(tmp_path / "train.parquet", [1, 0, None, -1, 1], declaring(["cow", "ant", "bee"]))
    index = read(path)
    assert index.classes == ("cow", "ant", "bee")
    assert column(index, "label") == [1, 0, -1, -1, 1]
    assert index.paths() == [f"train.parquet#{i}" for i in range(5)]
    assert index.root == tmp_path
    assert [IndexedImages(index).open(row).size for row in (4, 0)] == [(5, 2), (1, 2)]


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [(["cow", "ant", None], ("ant", "cow"), [1, 0, -1]), ([10, 9, 10], ("9", "10"), [1, 0, 1])],
)
@pytest.mark.parametrize(
    "metadata",
    [None, declaring(None), {"huggingface": "{no JSON"}, {"huggingface": "[1]"}, {"huggingface": '{"info": null}'}],
    ids=["none", "of no names", "no JSON", "a list", "of null"],
)
def test_without_declared_names_the_labels_are_the_classes(
    labels: list[object], classes: tuple[str, ...], numbers: list[int], metadata: dict[str, str] | None, tmp_path: Path
) -> None:
    index = read(parquet(tmp_path / "data.parquet", labels, metadata))
    assert index.classes == classes
    assert column(index, "label") == numbers


def test_the_split_is_the_first_word_of_the_name(tmp_path: Path) -> None:
    splits = {
        "train-00000-of-00002": "train",
        "train-00001-of-00002": "train",
        "validation-00000-of-00001": "val",
        "valid_0": "val",
        "Val": "val",
        "test.clean": "test",
        "training": "train",
        "0000": None,
    }
    for name in splits:
        parquet(tmp_path / f"data/{name}.parquet", [0])
    index = read(tmp_path)
    found = dict(zip(index.paths(), column(index, "split"), strict=True))
    assert found == {f"data/{name}.parquet#0": split for name, split in splits.items()}
    assert index.paths() == sorted(index.paths())


def test_classes_of_files_are_matched_by_name(tmp_path: Path) -> None:
    parquet(tmp_path / "train-0.parquet", [0, 1], declaring(["cow", "ant"]))
    parquet(tmp_path / "train-1.parquet", [0, 1, 2], declaring(["ant", "cow", "bee"]))
    index = read(tmp_path)
    assert index.classes == ("cow", "ant", "bee")
    assert [index.classes[label] for label in column(index, "label")] == ["cow", "ant", "ant", "cow", "bee"]


def test_a_file_whose_labels_the_others_do_not_declare_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "test.parquet", [1, 0, 1])
    parquet(tmp_path / "train.parquet", [0, 1], declaring(["cow", "ant"]))
    assert refusal(tmp_path) == (
        f"{tmp_path}: expected labels of the classes that its files declare (cow and ant); got also 0 and 1."
    )


@pytest.mark.parametrize(
    ("labels", "got"), [([0, 2], "2"), ([-2, 0], "-2"), (["cow"], "cow"), ([0.0], "0.0"), ([[0]], "[0]")]
)
def test_a_label_that_no_name_covers_is_refused(labels: list[object], got: str, tmp_path: Path) -> None:
    path = parquet(tmp_path / "train.parquet", labels, declaring(["cow", "ant"]))
    assert refusal(path) == f"{path}: expected labels 0 to 1, as it declares 2 names; got {got}."


def test_numbers_beside_words_are_words(tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", [10, 9])
    parquet(tmp_path / "test.parquet", ["10", "ant"])
    assert read(tmp_path).classes == ("9", "10", "ant")


def test_several_labels_a_picture_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "train.parquet", [[0, 1], [1]])
    kind = pq.read_schema(path).field("label").type
    assert refusal(path) == f"{path}: expected one label an image in `label`; got {kind}."


def test_images_are_mapped_from_a_copy_that_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    path = parquet(tmp_path / "data/train.parquet", [0, 1])
    gc.collect()  # of what other tests left
    before = pa.total_allocated_bytes()
    images = load_images(path)
    assert images.to_pylist() == [png(1), png(2)]
    assert pa.total_allocated_bytes() == before
    copy, _ = sorted((tmp_path / "cache/parquet").iterdir())
    made = copy.stat().st_mtime_ns
    path.rename(tmp_path / "data/moved.parquet")
    load_images(tmp_path / "data/moved.parquet")
    assert copy.stat().st_mtime_ns == made
    parquet(tmp_path / "data/moved.parquet", [0])
    assert len(load_images(tmp_path / "data/moved.parquet")) == 1


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file"))
    path = parquet(tmp_path / "data/train.parquet", [0])
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{re.escape(str(tmp_path / 'file'))}"):
        load_images(path)


def test_the_column_of_labels_is_chosen(tmp_path: Path) -> None:
    path = parquet(tmp_path / "train.parquet", [1, 0], declaring(["cow", "ant"], "kind"), label_column="kind")
    assert read(path, label_column="kind").classes == ("cow", "ant")
    assert refusal(path) == f"{path}: expected columns image and label; got image and kind. See --label-column."


def test_images_without_their_bytes_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "train.parquet", [0], images=[{"path": "1.png"}])
    assert refusal(path) == f"{path}: expected a column image of {{bytes, path}}; got struct<path: string>."


@pytest.mark.parametrize("content", [b"", b"text", b"PAR1" + bytes(20) + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    path.write_bytes(content)
    for given in (path, tmp_path):
        assert refusal(given).startswith(f"{path}: expected Parquet; ")


def test_a_file_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    """Whatever bytes change, a reader says so in its own words or gives rows, some of them unreadable."""
    path = parquet(tmp_path / "train.parquet", [0, 1] * 4, declaring(["cow", "ant"]))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, len(whole), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            images = IndexedImages(read(path))
        except DataError:
            refused += 1
            continue
        try:
            images.open(0)
        except UnreadableError:
            refused += 1
    assert refused > 30


def test_a_row_without_a_picture_is_unreadable(tmp_path: Path) -> None:
    rows = [None, {"bytes": None, "path": "1.png"}, {"bytes": png(3), "path": None}, {"bytes": b"", "path": None}]
    images = IndexedImages(read(parquet(tmp_path / "train.parquet", [0, 0, 0, 0], images=rows)))
    assert images.open(2).size == (3, 2)
    for row, reason in ((0, "the row holds no image"), (1, "the row holds no image"), (3, "the file is empty")):
        with pytest.raises(UnreadableError, match=f"^{reason}$"):
            images.open(row)


def test_folders_whose_names_end_like_files_are_entered(tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet/part-0.parquet", [0])
    assert read(tmp_path).paths() == ["train.parquet/part-0.parquet#0"]


def test_large_columns_and_many_row_groups(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.large_binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": png(i + 1), "path": ""} for i in range(7)], kind)
    pq.write_table(pa.table({"image": rows, "label": [0] * 7}), tmp_path / "train.parquet", row_group_size=2)
    images = IndexedImages(read(tmp_path))
    assert [images.open(row).size[0] for row in range(7)] == [1, 2, 3, 4, 5, 6, 7]
