"""On real data, which lies beside a checkout in ../shared/data or not at all."""

import shutil
from pathlib import Path

import pytest

from striate.data import read
from striate.data.check import Check, Finding, by_kind, cleaned, examine

DATA = Path(__file__).parents[4] / "shared" / "data"


def checked(name: str) -> Check:
    if not (DATA / name).exists():
        pytest.skip(f"needs the data of ../shared/data/{name}")
    return examine(read(DATA / name), workers=2)


def kinds(check: Check) -> dict[str, list[Finding]]:
    return by_kind(check.findings)


def test_photos_with_nothing_wrong() -> None:
    found = checked("hymenoptera")
    assert found.passed
    assert found.findings == ()


def test_the_duplicates_of_raccoon() -> None:
    """Four pairs of equal files; two images and one of a pair are there again, smaller or with words on them."""
    found = checked("raccoon")
    named = {tuple(Path(path).stem for path in each.paths): each.reason for each in kinds(found)["duplicate"]}
    assert named == {
        ("raccoon-11", "raccoon-116"): "2 images, the same file",
        ("raccoon-120", "raccoon-83"): "2 images, the same file",
        ("raccoon-65", "raccoon-98"): "2 images, the same file",
        ("raccoon-50", "raccoon-52", "raccoon-74"): "3 images, the same file (1) and nearly the same (1)",
        ("raccoon-21", "raccoon-45"): "2 images, nearly the same",
        ("raccoon-51", "raccoon-85"): "2 images, nearly the same",
    }
    assert sum(group.links[0] for group in found.copies) == 4
    assert cleaned(found).usable().sum() == 193


def test_the_box_of_no_height() -> None:
    found = checked("caltech3-boxes")
    assert [(finding.path, finding.reason) for finding in kinds(found)["box-empty"]] == [
        ("images/airplane/image_0118.jpg", "(104, 38, 126, 38) on 392 x 165 pixels")
    ]
    assert found.passed
    assert set(kinds(found)) == {"box-empty", "duplicate", "mixed-grey"}


def test_the_masks_of_another_size() -> None:
    found = checked("human-segmentation")
    (finding,) = kinds(found)["mask-size"]
    assert (finding.reason, len(finding.rows)) == ("198 of 290 masks", 198)
    assert [group.links for group in found.copies] == [(1, 0, 0, 0)]
    assert set(kinds(found)) == {"duplicate", "mask-size", "mixed-grey"}


def test_the_six_bad_files(tmp_path: Path) -> None:
    if not (DATA / "bad-files").exists():
        pytest.skip("needs the files of ../shared/data/bad-files")
    for name in ("ants", "bees"):
        (tmp_path / name).mkdir()
        for photo in sorted((DATA / "hymenoptera" / "train" / name).iterdir())[:12]:
            shutil.copy(photo, tmp_path / name)
    for file in (DATA / "bad-files").iterdir():
        shutil.copy(file, tmp_path / "ants")
    found = kinds(examine(read(tmp_path)))
    named = {Path(finding.path).name: kind for kind in ("unreadable", "left-out", "suffix") for finding in found[kind]}
    assert named == {
        "empty.jpg": "unreadable",
        "text-named.jpg": "unreadable",
        "truncated.jpg": "unreadable",
        "voc-size-zero.xml": "left-out",
        "png-p-named.jpg": "suffix",
        "png-rgba-named.jpg": "suffix",
    }
    assert "too-many-bad" in found


@pytest.mark.slow
def test_cifar10_leaks() -> None:
    found = checked("cifar10-jpeg")
    leaks = [tuple(path.partition("#")[2] for path in leak.paths) for leak in kinds(found)["leak"]]
    assert {("265", "46709"), ("746", "2751"), ("790", "4538"), ("1227", "42243")} <= set(leaks)  # seen by eye
    assert "conflict" not in kinds(found)


@pytest.mark.slow
def test_handwritten_digits_are_no_copies() -> None:
    assert checked("mnist").findings == ()
