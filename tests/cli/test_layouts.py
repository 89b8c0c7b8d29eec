"""Data as people have it, at the prompt: what `check` reads it as, and what `train` makes of it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kin import KIN, write
from kin.make import Files, image

from striate.model import load

Striate = Callable[..., tuple[int, str, str]]
SMALL = ("--epochs", 1, "-b", 4, "-j", 1, "--device", "cpu", "--precision", "float32", "--weights", "none")


def lay_out(name: str, folder: Path) -> Path:
    """A data set of `kin`, of which no two images are the same."""
    files = KIN[name][0]()
    found: Files = {}
    for number, (path, content) in enumerate(files.items()):
        kind = next((kind for kind in ("JPEG", "PNG") if content == image(kind)), None)
        found[path] = image(kind, number) if kind else content
    return write(folder / "data", found)


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("imagenet_on_kaggle", "class folders in split train, and val by boxes"),
        ("lvis", "COCO objects in lvis_v1_train.json"),
        ("mot", "boxes of MOT"),
        ("manifest_of_boxes", "labels of SageMaker's manifest"),
        ("mxnet_list", "a list of images and labels: train.lst"),
        ("boxes_in_a_text", "boxes in t.csv"),
        ("automl_boxes", "boxes in all.csv"),
        ("a_folder_an_image", "images and masks"),
        ("numbers_named_by_objectInfo150.txt", "images and masks"),
        ("defects", "masks by the lengths of runs in train.csv"),
    ],
)
def test_check_says_what_data_is_read_as(name: str, layout: str, striate: Striate, tmp_path: Path) -> None:
    code, out, err = striate("check", lay_out(name, tmp_path))
    assert code == 0, err
    assert f"read as: {layout}" in out + err


@pytest.mark.parametrize("name", ["masks_of_two_kinds", "grey_levels", "yolo_in_pixels", "ids_in_two_tables"])
def test_what_could_be_misread_stops_with_a_sentence(name: str, striate: Striate, tmp_path: Path) -> None:
    code, _, err = striate("check", lay_out(name, tmp_path))
    assert code == 3
    assert KIN[name][1].refused in err
    assert len(err.strip().splitlines()) == 1


def test_imagenet_from_kaggle_is_trained_on(striate: Striate, tmp_path: Path) -> None:
    network = ("--model", "lenet5", "--model-args.activation", "relu")
    code, _, err = striate("train", lay_out("imagenet_on_kaggle", tmp_path), *network, *SMALL, "-o", tmp_path / "run")
    assert code == 0, err
    assert "images: 6 train, 4 val, 0 test" in err
    assert load(tmp_path / "run" / "model.safetensors").classes == ("n01440764", "n01443537")


def test_images_without_a_fault_are_trained_on(striate: Striate, tmp_path: Path) -> None:
    data = lay_out("defects", tmp_path)
    write(data, {f"train_images/sound{n}.jpg": image(seed=100 + n) for n in range(5)})
    code, _, err = striate("train", data, *SMALL, "-o", tmp_path / "run")
    assert code == 0, err
    assert "images beside these that train.csv does not name, read as background alone: 5." in err
    [counts] = re.findall(r"images: (\d+) train, (\d+) val, (\d+) test", err)
    assert sum(map(int, counts)) == 8
