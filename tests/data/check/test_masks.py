from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import Index, build
from striate.data.check.masks import mask_findings
from striate.data.check.scan_index import scan_index

Save = Callable[..., Path]


@pytest.fixture
def masked(tmp_path: Path, save_picture: Save) -> Callable[..., Index]:
    """Called with masks as arrays, None for none, "gone" for one that is not there: images of 40 x 30 with them."""

    def make(*masks: np.ndarray | str | None) -> Index:
        paths: list[str | None] = []
        for number, mask in enumerate(masks):
            save_picture(tmp_path / f"{number}.png", size=(40, 30), seed=number)
            if isinstance(mask, np.ndarray):
                Image.fromarray(mask).save(tmp_path / f"mask{number}.png")
            paths.append(None if mask is None else f"mask{number}.png")
        names = [f"{number}.png" for number in range(len(masks))]
        return build(tmp_path, (), names, mask=paths, mask_classes=("ground", "cat"), mask_values={0: 0, 200: 1})

    return make


def mask(width: int, height: int, values: Sequence[int] = (0, 200)) -> np.ndarray:
    return np.resize(np.array(values, np.uint8), (height, width))


def found(index: Index, workers: int = 1) -> list[tuple[str, str, tuple[int, ...]]]:
    findings = mask_findings(index, scan_index(index), workers=workers)
    return [(finding.kind, finding.reason, finding.rows) for finding in findings]


def test_masks_with_nothing_wrong(masked: Callable[..., Index]) -> None:
    assert found(masked(mask(40, 30), mask(40, 30, [0, 255, 200]))) == []
    assert found(masked(None, None)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_each_fault_has_its_kind(masked: Callable[..., Index], workers: int) -> None:
    index = masked(
        mask(20, 15), None, mask(30, 40), "gone", mask(40, 30, [0, 7, 9]), mask(4, 3), mask(401, 300), mask(80, 30)
    )
    findings = found(index, workers)
    assert findings == [
        ("mask-missing", "1 of 8 images", (1,)),
        ("mask-shape", "the mask has 30 x 40 pixels, the image 40 x 30", (2,)),
        ("mask-unreadable", findings[2][1], (3,)),
        ("mask-values", "values of no class: 7 and 9", (4,)),
        ("mask-shape", "the mask has 80 x 30 pixels, the image 40 x 30", (7,)),
        ("mask-size", "3 of 7 masks", (0, 5, 6)),
    ]
    assert findings[2][1].startswith("its mask mask3.png cannot be read: ")


def test_a_mask_of_an_unreadable_image_is_not_opened(masked: Callable[..., Index]) -> None:
    index = masked("gone")
    (index.root / "0.png").write_bytes(b"")
    assert found(index) == []


def test_a_mask_of_too_many_pixels_is_refused(masked: Callable[..., Index]) -> None:
    index = masked(mask(40, 30))
    findings = mask_findings(index, scan_index(index), max_pixels=1199)
    assert [finding.kind for finding in findings] == ["mask-unreadable"]


def test_classes_of_no_mask_or_of_one_among_many_are_named(masked: Callable[..., Index]) -> None:
    plain = mask(40, 30, [0, 0])
    assert found(masked(plain, plain)) == [("mask-classes", "no mask has a pixel of cat", ())]
    assert found(masked(*[plain] * 8, mask(40, 30))) == []
    assert found(masked(*[plain] * 9, mask(40, 30))) == [("mask-classes", "1 of 10 masks alone has cat", (9,))]


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_mask_of_the_image_before_exif_turned_it_is_told(masked: Callable[..., Index], orientation: int) -> None:
    index = masked(mask(40, 30))
    exif = Image.Exif()
    exif[0x112] = orientation
    with Image.open(index.root / "0.png") as image:
        image.save(index.root / "0.png", exif=exif)
    shape = "the mask has 40 x 30 pixels, the image 30 x 40, which its EXIF orientation turned and the mask was not"
    assert found(index) == ([("mask-shape", shape, (0,))] if orientation == 6 else [])


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (np.full((30, 40, 3), (224, 224, 192), np.uint8), "#e0e0c0"),
        (np.full((30, 40), 7000, np.uint16), "7000"),
        (np.full((30, 40, 3), 9, np.uint8), "9"),
    ],
    ids=["a colour", "16 bits", "grey in three channels"],
)
def test_values_of_no_class_are_written_as_they_can_be_named(
    masked: Callable[..., Index], values: np.ndarray, written: str
) -> None:
    named = [reason for kind, reason, _ in found(masked(values)) if kind == "mask-values"]
    assert named == [f"values of no class: {written}"]


@pytest.mark.parametrize(("size", "kind"), [((13, 10), "mask-size"), ((14, 10), "mask-size"), ((15, 10), "mask-shape")])
def test_a_shape_that_rounding_explains_is_the_images(
    masked: Callable[..., Index], size: tuple[int, int], kind: str
) -> None:
    """A third of 40 x 30 is 13.3 x 10."""
    assert [finding[0] for finding in found(masked(mask(*size)))] == [kind]
