"""The layouts of ../shared/cases, which lie beside a checkout or not at all, from the folder and from its file."""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from reading import column

from striate.data import Index, load_mask, read
from striate.errors import DataError

CASES = Path(__file__).parents[4] / "shared" / "cases" / "layouts.py"
TABLES = (
    "backslash.csv",
    "file_and_class.csv",
    "no_header.csv",
    "one_hot.csv",
    "semicolon.csv",
    "spaces.csv",
    "tab.tsv",
)


@cache
def cases() -> ModuleType:
    """The script that lays them out."""
    if not CASES.exists():
        pytest.skip("needs ../shared/cases")
    spec = importlib.util.spec_from_file_location("layouts", CASES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lay_out(tmp_path: Path) -> "LayOut":
    """Lays out one case and gives its folder."""
    return LayOut(tmp_path)


class LayOut:
    """Lays cases out below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str) -> Path:
        """The folder of one case."""
        root = self._folder / name
        root.mkdir()
        getattr(cases(), name)(root)
        return root


def counts(index: Index) -> dict[tuple[str | None, str], int]:
    """Images by split and class."""
    pairs = zip(column(index, "split"), column(index, "label"), strict=True)
    found = [(split, index.classes[label]) for split, label in pairs if label >= 0]
    return {pair: found.count(pair) for pair in found}


def two(split: str | None, each: int) -> dict[tuple[str | None, str], int]:
    """As many ants as bees in a split."""
    return {(split, "ants"): each, (split, "bees"): each}


def test_training_set(lay_out: LayOut) -> None:
    index = read(lay_out("training_set"))
    assert counts(index) == two("train", 10) | two("test", 4)
    assert index.notes == (
        "read as: class folders in splits train (training_set), test (test_set); 2 classes, 28 images",
    )


def test_training_validation_testing(lay_out: LayOut) -> None:
    assert counts(read(lay_out("training_validation_testing"))) == two("train", 6) | two("val", 4) | two("test", 4)


def test_litter(lay_out: LayOut) -> None:
    index = read(lay_out("litter"))
    assert counts(index) == two(None, 14)
    assert index.notes[1:] == (
        "left out: 7 hidden or left by a system (.DS_Store, __MACOSX, .ipynb_checkpoints, Thumbs.db and 2 more).",
    )


def test_numbered_classes(lay_out: LayOut) -> None:
    assert read(lay_out("numbered_classes")).classes == ("1", "2", "10", "100")


def test_empty_class(lay_out: LayOut) -> None:
    index = read(lay_out("empty_class"))
    assert counts(index) == two(None, 14)
    assert index.notes[1:] == ("a class folder without an image, which is no class: wasps.",)


@pytest.mark.parametrize("given", ["", "train.csv", "labels.csv"])
def test_kaggle(given: str, lay_out: LayOut) -> None:
    index = read(lay_out("kaggle") / given)
    assert counts(index) == two(None, 14)
    assert all((index.root / path).is_file() for path in index.paths())


def test_tables(lay_out: LayOut) -> None:
    root = lay_out("tables")
    for name in ("", *TABLES):
        index = read(root / name)
        assert counts(index) == two(None, 14) or name == ""
        assert sorted(index.paths()) == sorted(f"{kind}/{n}.jpg" for kind in ("ants", "bees") for n in range(14))
        assert index.usable().all()
    assert counts(read(root / "is_valid.csv")) == {
        ("val", "ants"): 4, ("train", "ants"): 10, ("train", "bees"): 11, ("val", "bees"): 3
    }  # fmt: skip
    assert counts(read(root, layout="folders")) == two(None, 14)


def test_formats(lay_out: LayOut) -> None:
    assert counts(read(lay_out("formats"))) == {(None, "ants"): 20, (None, "bees"): 14}


def test_label_in_name(lay_out: LayOut) -> None:
    root = lay_out("label_in_name")
    with pytest.raises(DataError) as caught:
        read(root)
    assert str(caught.value) == (
        f"data: expected images with labels in {root}; got 28 images and no labels. If labels are in the names of "
        r"files, give --label-pattern '^(.+?)[ _.-]*\(?[0-9]+\)?\.[^.]+$': ants (14) and bees (14)."
    )
    for pattern in ("^([a-z]+)_", r"^(.+?)[ _.-]*\(?[0-9]+\)?\.[^.]+$"):
        assert counts(read(root, label_pattern=pattern)) == two(None, 14)


@pytest.mark.parametrize("given", ["", "photos.zip"])
def test_archive(given: str, lay_out: LayOut) -> None:
    index = read(lay_out("archive") / given)
    assert counts(index) == two(None, 14)
    assert index.notes[-1] == f"photos.zip is unpacked once, in {index.root}."
    assert all((index.root / path).is_file() for path in index.paths())


@pytest.mark.parametrize("given", ["", "data.yaml"])
def test_yolo(given: str, lay_out: LayOut) -> None:
    index = read(lay_out("yolo") / given)
    assert counts(index) == {("train", "bee"): 3, ("train", "ant"): 3, ("val", "bee"): 3, ("val", "ant"): 3}
    assert index.classes == ("bee", "ant")
    for (box,) in column(index, "boxes"):
        assert np.allclose(box, [4.8, 5, 45.12, 35])


def test_voc_beside(lay_out: LayOut) -> None:
    index = read(lay_out("voc_beside"))
    assert counts(index) == {("train", "bee"): 3, ("train", "ant"): 3, ("test", "bee"): 3, ("test", "ant"): 3}
    assert column(index, "boxes") == [[[5.5, 5, 45, 35]]] * 12


def test_labelme(lay_out: LayOut) -> None:
    index = read(lay_out("labelme"))
    assert counts(index) == {(None, "bee"): 5, (None, "ant"): 5}
    assert column(index, "boxes") == [[[5, 5, 45, 35]]] * 10


@pytest.mark.parametrize("given", ["", "export.json"])
def test_label_studio(given: str, lay_out: LayOut) -> None:
    index = read(lay_out("label_studio") / given)
    assert counts(index) == {(None, "bee"): 5, (None, "ant"): 5}
    assert index.paths() == [f"images/{number}.jpg" for number in range(10)]


def test_cvat_masks(lay_out: LayOut) -> None:
    index = read(lay_out("cvat_masks"))
    assert (len(index), index.mask_classes) == (10, ("background", "head", "leg"))
    values, numbers = np.unique(load_mask(index, 0), return_counts=True)
    assert dict(zip(values.tolist(), numbers.tolist(), strict=True)) == {0: 80 * 96 - 1200 - 600, 1: 1200, 2: 600}


def test_camvid(lay_out: LayOut) -> None:
    index = read(lay_out("camvid"))
    assert [column(index, "split").count(split) for split in ("train", "val", "test")] == [4, 4, 4]
    assert all(
        mask.replace("annot", "") == path for path, mask in zip(index.paths(), column(index, "mask"), strict=True)
    )
    assert set(np.unique(load_mask(index, 0)).tolist()) == {0, 1, 2}


def test_carvana(lay_out: LayOut) -> None:
    index = read(lay_out("carvana"))
    assert (len(index), index.mask_classes) == (8, ("background", "foreground"))
    assert column(index, "mask") == [f"masks/{number}_mask.gif" for number in range(8)]
    assert np.count_nonzero(load_mask(index, 0)) == 1800
