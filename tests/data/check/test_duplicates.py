import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from scanned import scan_image

from striate.data import Index, IndexedImages, build
from striate.data.check.cache import DIGEST
from striate.data.check.duplicates import Copies, copy_findings, find_copies
from striate.data.check.scan_index import Scan, scan_index
from striate.data.decode import OpenedImage, UnreadableError, open_image
from striate.data.images import GivenImages

SAME_FILE, SAME_PIXELS, NEARLY, MIRRORED = (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)


def scene(seed: int = 0) -> Image.Image:
    """Blobs of colour: no two seeds look alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)


def copies_of(folder: Path, names: Sequence[str]) -> list[Copies]:
    index = build(folder, ("ant",), names)
    digests = [hashlib.blake2b((folder / name).read_bytes(), digest_size=16).digest() for name in names]
    return find_copies(scan_index(index), pa.array(digests, DIGEST), IndexedImages(index))


def test_every_likeness(tmp_path: Path) -> None:
    for seed in range(5):
        scene(seed).save(tmp_path / f"{seed}.png")
    (tmp_path / "file.png").write_bytes((tmp_path / "0.png").read_bytes())
    scene(1).save(tmp_path / "pixels.bmp")
    scene(2).resize((80, 60)).save(tmp_path / "near.jpg", quality=60)
    scene(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.jpg")
    names = ["0.png", "1.png", "2.png", "3.png", "4.png", "mirrored.jpg", "near.jpg", "pixels.bmp", "file.png"]
    assert copies_of(tmp_path, names) == [
        Copies((0, 8), SAME_FILE),
        Copies((1, 7), SAME_PIXELS),
        Copies((2, 6), NEARLY),
        Copies((3, 5), MIRRORED),
    ]


def test_copies_of_copies_are_one_group(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    scene().save(tmp_path / "c.jpg", quality=70)
    (tmp_path / "d.jpg").write_bytes((tmp_path / "c.jpg").read_bytes())
    copies = copies_of(tmp_path, ["d.jpg", "a.png", "c.jpg", "b.png"])
    assert copies == [Copies((0, 1, 2, 3), (2, 0, 1, 0))]
    assert str(copies[0]) == "4 images, the same file (2) and nearly the same (1)"


def test_what_holds_nothing_is_compared_for_being_the_same(tmp_path: Path) -> None:
    for place, (colour, name) in enumerate(((10, "1.png"), (10, "2.bmp"), (90, "3.png"), (91, "4.png"))):
        Image.new("RGB", (50, 50 + place // 2), (colour, colour, colour)).save(tmp_path / name)
    assert copies_of(tmp_path, ["1.png", "2.bmp", "3.png", "4.png"]) == [Copies((0, 1), SAME_PIXELS)]


def test_images_too_small_to_tell_are_not_nearly_the_same(tmp_path: Path) -> None:
    """Handwritten ones of 28 x 28 pixels are hardly told apart, and are not copies."""
    for side, expected in ((28, []), (32, [Copies((0, 1), NEARLY)])):
        scene().resize((side, side)).save(tmp_path / "1.png")
        scene().resize((side, side)).point(lambda value: value * 0.9).save(tmp_path / "2.png")
        assert copies_of(tmp_path, ["1.png", "2.png"]) == expected


def test_an_image_that_is_gone_by_now_is_like_nothing() -> None:
    images = GivenImages([np.asarray(scene()), np.asarray(scene().point(lambda value: value * 0.9))])
    scan = Scan(np.stack([scan_image(images.open(row)) for row in (0, 1)]), (None, None))
    assert len(find_copies(scan, pa.nulls(2, DIGEST), images)) == 1

    class Gone(GivenImages):
        def open(self, row: int) -> OpenedImage:
            if row:
                raise UnreadableError("No such file or directory")
            return open_image(np.asarray(scene()))

    assert find_copies(scan, pa.nulls(2, DIGEST), Gone([])) == []


def test_pairs_are_found_again_without_opening_an_image(tmp_path: Path) -> None:
    images = GivenImages([np.asarray(scene()), np.asarray(scene().point(lambda value: value * 0.9))])
    scan = Scan(np.stack([scan_image(images.open(row)) for row in (0, 1)]), (None, None))
    digests, cache = [bytes(16), bytes([1] * 16)], tmp_path / "a.seen"
    first = find_copies(scan, pa.array(digests, DIGEST), images, cache=cache)
    assert first == [Copies((0, 1), NEARLY)]
    assert find_copies(scan, pa.array(digests, DIGEST), GivenImages([]), cache=cache) == first


def index_of(rows: Sequence[tuple[str | None, int]]) -> Index:
    splits, labels = zip(*rows, strict=True)
    return build(Path(), ("ant", "bee"), [f"{row}.png" for row in range(len(rows))], label=labels, split=splits)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("train", 0), ("train", 0)], [("duplicate", "2 images, mirror images")]),
        ([(None, 0), (None, -1)], [("duplicate", "2 images, mirror images")]),
        ([("test", 0), ("train", 0)], [("leak", "2 images, mirror images: in train and test")]),
        ([(None, 1), (None, 0)], [("conflict", "2 images, mirror images: as ant and bee")]),
        ([("val", 1), ("train", 0), ("test", 1)], [
            ("leak", "3 images, mirror images: in train, val and test"),
            ("conflict", "3 images, mirror images: as ant and bee"),
        ]),
    ],
)  # fmt: skip
def test_what_copies_mean(rows: Sequence[tuple[str | None, int]], expected: list[tuple[str, str]]) -> None:
    group = Copies(tuple(range(len(rows))), (0, 0, 0, len(rows) - 1))
    found = list(copy_findings(index_of(rows), [group]))
    assert [(finding.kind, finding.reason) for finding in found] == expected
    assert {finding.rows for finding in found} == {group.rows}


def test_several_labels_conflict_where_any_differs() -> None:
    labels = [[0, 1], [1, 0], [1]]
    index = build(Path(), ("ant", "bee"), ["1", "2", "3"], labels=labels)
    findings = list(copy_findings(index, [Copies((0, 1), SAME_FILE), Copies((0, 2), SAME_FILE)]))
    assert [finding.reason for finding in findings] == [
        "2 images, the same file",
        "2 images, the same file: as ant+bee and bee",
    ]
