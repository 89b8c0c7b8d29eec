"""Arrays, archives, XML, Parquet and masks made to hurt: refused in a sentence, or read as what they are."""

import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from striate.cli.app import main
from striate.data import read
from striate.data.decode import UnreadableError
from striate.data.masks import load_mask, stored_values

Refusal = Callable[..., str]
IMAGES = np.zeros((4, 8, 8), np.uint8)


def npy(shape: str, descr: str = "'|u1'", values: bytes = b"") -> bytes:
    """An array whose header says anything."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + values


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


LABELS = npy("(4,)", values=bytes([0, 1, 0, 1]))
ARRAYS = {
    "more values than bytes": ({"x": npy("(10000000000, 8, 8)"), "y": LABELS}, "values in `x`, as its header says"),
    "a size below 0": ({"x": npy("(-4, 8, 8)", values=bytes(256)), "y": LABELS}, "values in `x`, as its header says"),
    "objects": ({"x": npy("(4,)", "'|O'"), "y": LABELS}, "got a pickle, which is never opened"),
    "a header without end": ({"x": npy("(" * 4000), "y": LABELS}, "expected arrays of NumPy"),
    "a header that computes": ({"x": npy("(10**10,)"), "y": LABELS}, "expected arrays of NumPy"),
    "records": ({"x": npy("(4,)", "[('a', '<f4')]", bytes(16)), "y": LABELS}, "expected images N x H x W"),
    "labels of many columns": (
        {"x": npy("(4, 8, 8)", values=bytes(256)), "y": npy("(4, 100000)", values=bytes(400_000))},
        "expected at most 10,000 columns in `y`",
    ),
    "a label without end": (
        {"x": npy("(4, 8, 8)", values=bytes(256)), "y": npy("(4,)", "'<f8'", struct.pack("<4d", 0, 1, 1e300, 1))},
        "expected labels that are whole numbers in `y`; got others.",
    ),
    "no images": ({"a": LABELS}, "expected an array of images called x"),
}


@pytest.mark.parametrize(("members", "sentence"), ARRAYS.values(), ids=ARRAYS.keys())
def test_arrays(tmp_path: Path, refusal: Refusal, members: dict[str, bytes], sentence: str) -> None:
    assert sentence in refusal("check", npz(tmp_path / "set.npz", **members), code=3)


def test_an_array_of_gigabytes_in_a_small_file(tmp_path: Path, refusal: Refusal) -> None:
    zeros = zlib.compressobj(1, zlib.DEFLATED, -15)
    packed = b"".join(zeros.compress(bytes(1 << 24)) for _ in range(70)) + zeros.flush()
    path = npz(tmp_path / "set.npz", x=b"", y=LABELS)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        member.write(npy("(1174405120, 1, 1)"))
        for _ in range(70):
            member.write(bytes(1 << 24))
    assert len(packed) < 10_000_000
    assert "expected at most 200 times its size unpacked" in refusal("check", path, code=3)


def test_an_array_that_was_damaged(tmp_path: Path, refusal: Refusal) -> None:
    noise = np.random.default_rng(0).integers(0, 9, (400, 8, 8), np.uint8)
    np.savez_compressed(tmp_path / "set.npz", x=noise, y=np.arange(400) % 2)
    content = bytearray((tmp_path / "set.npz").read_bytes())
    content[2000:2100] = bytes(100)
    (tmp_path / "set.npz").write_bytes(content)
    assert "set.npz: expected arrays of NumPy; " in refusal("check", tmp_path / "set.npz", code=3)


def tar_of(path: Path, **headers: str) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a/0.png")
        member.pax_headers = headers
        archive.addfile(member, io.BytesIO())
    return path


def test_a_header_of_an_archive_that_would_fill_the_memory(tmp_path: Path, refusal: Refusal) -> None:
    path = tar_of(tmp_path / "set.tar.gz", comment="x" * 50_000_000)
    assert path.stat().st_size < 1_000_000
    assert "expected headers of at most 16,777,216 bytes" in refusal("check", path, code=3)


def test_members_1500_deep(tmp_path: Path, refusal: Refusal) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("d/" * 1500 + "0.png", b"")
    assert "expected folders of at most 100 levels; got 1,501" in refusal("check", tmp_path / "set.zip", code=3)


def test_members_that_lead_out_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("../out.png", "/out.png", "a/../../out.png", "..\\out.png", "a\\..\\..\\out.png"):
            archive.writestr(name, b"out")
    refusal("check", tmp_path / "set.zip", code=3)
    assert [path.name for path in tmp_path.rglob("out.png")] == []


XML = {
    "entities": ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "got one that declares entities or another encoding"),
    "a thousand levels": ("<annotations>" + "<image>" * 1000, "expected at most 64 elements within one another"),
    "no name": ("<annotations><image/></annotations>", "got none that names one"),
    "a name that leads out": (
        '<annotations><image name="../../etc/passwd"><tag label="a"/></image></annotations>',
        "got none that names one",
    ),
    "cut": ("<annotations><image name=", "expected an annotation in XML"),
}


@pytest.mark.parametrize(("content", "sentence"), XML.values(), ids=XML.keys())
def test_cvat(tmp_path: Path, refusal: Refusal, content: str, sentence: str) -> None:
    for number in range(3):
        Image.new("L", (20, 20), number).save(tmp_path / f"{number}.png")
    (tmp_path / "annotations.xml").write_text(content)
    assert sentence in refusal("check", tmp_path, "--layout", "cvat", code=3)


def test_numbers_of_cvat_that_are_none_are_left_out(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (20, 20), number).save(tmp_path / f"{number}.png")
    far = "9" * 5000
    (tmp_path / "annotations.xml").write_text(
        '<annotations><image name="0.png"><box label="a" xtl="nan" ytl="inf" xbr="1e999" ybr="-"/></image>'
        f'<image name="1.png" width="{far}"><polygon label="a" points="{far},1;2,2;3,3"/></image>'
        '<image name="2.png"><box label="a" xtl="1" ytl="1" xbr="9" ybr="9"/></image></annotations>'
    )
    index = read(tmp_path, layout="cvat")
    assert [boxes and len(boxes) for boxes in index.table["boxes"].to_pylist()][2] == 1
    assert sum(map(len, filter(None, index.table["boxes"].to_pylist()))) == 1


TABLES = {
    "a label of a megabyte": ("a.csv", "file,label\n0.png," + "x" * 1_000_000, "a.csv: expected a table of text"),
    "a quote without end": ("a.csv", 'file,label\n0.png,"x\n1.png,y\n', "a.csv: expected a table of text"),
    "columns without end": ("a.tsv", "\t".join(map(str, range(5000))), "at most 4,096 columns; got 5,000."),
    "lines that are no JSON": ("a.jsonl", "{" * 1_000_000, "a.jsonl: expected a JSON object a line"),
}


@pytest.mark.parametrize(("name", "content", "sentence"), TABLES.values(), ids=TABLES)
def test_why_a_table_of_a_folder_is_not_read(
    tmp_path: Path, refusal: Refusal, name: str, content: str, sentence: str
) -> None:
    for number in range(3):
        Image.new("L", (20, 20), number).save(tmp_path / f"{number}.png")
    (tmp_path / name).write_text(content)
    assert sentence in refusal("check", tmp_path, code=3)


UNTRUE = "expected nothing that would make a result untrue; got 1 finding of that kind"
PARQUET = {
    "labels that are lists": ({"image": [{"bytes": b"a"}], "label": [[1]]}, "expected one label an image in `label`"),
    "labels that are null": ({"image": [{"bytes": b"a"}], "label": [None]}, UNTRUE),
    "images that are null": ({"image": [{"bytes": None}], "label": [1]}, UNTRUE),
    "images that are text": (
        {"image": ["a.png"], "label": [1]},
        "expected a column image of {bytes, path}",
    ),
    "images that are numbers": ({"image": [{"bytes": 3}], "label": [1]}, UNTRUE),
    "many labels of a megabyte": (
        {"image": [{"bytes": b"a"}] * 4, "label": [letter * 1_000_000 for letter in "abcd"]},
        "expected labels of at most 4,000 bytes in `label`; got 4,000,",
    ),
    "labels of a megabyte": (
        {"image": [{"bytes": b"a"}], "label": ["x" * 1_000_000]},
        "expected names of classes of at most 1,000 characters",
    ),
}


@pytest.mark.parametrize(("columns", "sentence"), PARQUET.values(), ids=PARQUET.keys())
def test_parquet(tmp_path: Path, refusal: Refusal, columns: dict[str, object], sentence: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "train.parquet")
    assert sentence in refusal("check", tmp_path, code=3)


def test_classes_of_a_mask_are_the_indices_of_its_palette(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 3, (8, 10), np.uint8)
    mask = Image.fromarray(values, "P")
    mask.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])  # colours, of which none is the class
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number in range(3):
        Image.new("RGB", (10, 8), (number, 0, 0)).save(tmp_path / "images" / f"{number}.jpg")
        mask.save(tmp_path / "masks" / f"{number}.png")
    assert np.array_equal(stored_values(tmp_path / "masks/0.png"), values)
    index = read(tmp_path)
    assert sorted(index.mask_values) == [0, 1, 2]
    assert np.array_equal(load_mask(index, 0), values)


def test_a_palette_of_fewer_colours_than_the_mask_has_values(tmp_path: Path) -> None:
    values = np.array([[0, 1, 250]], np.uint8)
    mask = Image.fromarray(values, "P")
    mask.putpalette([0, 0, 0, 255, 255, 255])
    mask.save(tmp_path / "short.png", bits=8)
    assert stored_values(tmp_path / "short.png").max() <= 255


def test_masks_that_are_no_images_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for number in range(3):
            Image.new("L", (8, 8), number).save(tmp_path / part / f"{number}.png")
    for path in (tmp_path / "masks").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path)])
    assert "images/0.png: its mask 0.png cannot be read: it is no image" in capfd.readouterr().out


def coco_of(objects: int, segmentation: str) -> str:
    each = f'{{"image_id": 0, "category_id": 1, "bbox": [1, 1, 5, 5], "segmentation": {segmentation}}}'
    return (
        '{"images": [{"id": 0, "file_name": "0.png", "width": 20000, "height": 4000}], '
        f'"categories": [{{"id": 1, "name": "a"}}], "annotations": [{", ".join([each] * objects)}]}}'
    )


OUTLINES = {
    "too many objects": (20_001, "[[1, 1, 5, 1, 5, 5]]", "expected a mask of at most 20,000 objects; got 20,001"),
    "objects that cover the image many times": (
        20, "[[0, 0, 20000, 0, 20000, 4000, 0, 4000]]", "expected outlines over at most 1,073,741,824 pixels in all",
    ),
    "an outline of a thousand kilometres": (
        1, str([[0, 0, 20000, 0] * 100]), "an outline of at most 1,048,576 pixels",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("objects", "segmentation", "sentence"), OUTLINES.values(), ids=OUTLINES)
def test_outlines_that_take_long_to_draw(tmp_path: Path, objects: int, segmentation: str, sentence: str) -> None:
    (tmp_path / "coco.json").write_text(coco_of(objects, segmentation))
    with pytest.raises(UnreadableError, match=re.escape(sentence)):
        stored_values(tmp_path / "coco.json#0")
