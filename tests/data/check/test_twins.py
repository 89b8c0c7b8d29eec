import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import IndexedImages, read
from striate.data.check import Check, by_kind, examine
from striate.data.check.twins import twin_findings

Save = Callable[..., Path]
CALTECH = Path(__file__).parents[4] / "shared" / "data" / "caltech3-boxes"


def scene(folder: Path, name: str, seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    photo = Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)
    folder.mkdir(parents=True, exist_ok=True)
    photo.save(folder / name)
    return photo


def share(root: Path, count: int) -> Check:
    """Twelve images of each of three classes, of which two have `count` in common."""
    for number in range(12):
        scene(root / "ant", f"{number}.png", number)
        scene(root / "bee", f"b{number}.png", number if number < count else 100 + number)
        scene(root / "cat", f"c{number}.png", 200 + number)
    return examine(read(root))


def test_two_classes_that_share_many_images_are_told_once(tmp_path: Path) -> None:
    found = by_kind(share(tmp_path, 6).findings)
    [twins] = found["twins"]
    assert twins.reason == "ant and bee: 6 images of each are copies, or nearly, of the other's"
    assert len(twins.rows) == 12
    assert "conflict" not in found


def test_a_few_shared_images_are_told_one_by_one(tmp_path: Path) -> None:
    found = by_kind(share(tmp_path, 4).findings)
    assert len(found["conflict"]) == 4
    assert "twins" not in found


@pytest.mark.skipif(not CALTECH.exists(), reason="the photos of Caltech are not there")
@pytest.mark.parametrize(("name", "is_twin"), [("Faces_easy", True), ("Faces_hard", False), ("Easy_faces", False)])
def test_a_class_that_is_another_cropped(tmp_path: Path, name: str, is_twin: bool) -> None:
    """As Caltech-101 has it; and not where the photos are others, or nothing says that the classes are related."""
    with (CALTECH / "annotations/face.csv").open() as file:
        boxes = list(csv.reader(file))[:200:25]
    for folder in ("Faces", name):
        (tmp_path / folder).mkdir()
    for number, (file_name, *box, _) in enumerate(boxes):
        photo = Image.open(CALTECH / "images/face" / file_name)
        photo.save(tmp_path / f"Faces/{number}.jpg")
        if name == "Faces_hard":
            photo = Image.open(CALTECH / "images/airplane" / file_name)
        x0, y0, x1, y1 = map(int, box)
        photo.crop((x0 - 20, y0 - 10, x1 + 20, y1)).resize((250, 300)).save(tmp_path / f"{name}/{number}.jpg")
    index = read(tmp_path)
    found = [finding.reason for finding in twin_findings(index, {}, IndexedImages(index))]
    twin = "Faces and Faces_easy: each of 4 images looked at is part of the other's of the same name"
    assert found == ([twin] if is_twin else [])
