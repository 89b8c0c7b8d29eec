"""On real images, which lie beside a checkout in ../shared/data or not at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import (
    MEAN_STD,
    IndexedImages,
    Loader,
    Preprocessing,
    batches,
    check,
    load_mask,
    open_image,
    read,
    require_few_bad,
)
from striate.errors import DataError

DATA = Path(__file__).parents[3] / "shared" / "data"
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


def data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs the images of ../shared/data/{name}")
    return path


def test_hymenoptera() -> None:
    index = read(data("hymenoptera"))
    assert index.classes == ("ants", "bees")
    assert index.counts("train") == {"ants": 123, "bees": 121}
    assert index.counts("val") == {"ants": 70, "bees": 83}
    assert len(index) == 244 + 153
    assert index.usable().all()


def test_mnist() -> None:
    index = read(data("mnist"))
    assert index.classes == DIGITS
    train = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    test = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    assert index.counts("train") == dict(zip(DIGITS, train, strict=True))
    assert index.counts("test") == dict(zip(DIGITS, test, strict=True))
    assert (len(index.rows("train")), len(index.rows("test"))) == (60_000, 10_000)


def test_cifar10() -> None:
    index = read(data("cifar10-jpeg"))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    assert index.classes == tuple(names)
    assert index.counts("train") == dict.fromkeys(names, 5000)
    assert index.counts("test") == dict.fromkeys(names, 1000)
    assert IndexedImages(index).open(59_999).size == (32, 32)


def test_imagenet_photos() -> None:
    index = read(data("imagenet-photos") / "labels.csv", label_column="name")
    assert len(index) == len(index.classes) == 100
    assert sorted(index.labels(np.arange(100)).tolist()) == list(range(100))
    assert index.classes[int(index.labels(np.array([0]))[0])] == "tench, Tinca tinca"
    assert index.paths([0]) == ["images/n01440764_tench.JPEG"]
    assert index.usable().all()
    assert check(index.with_column("reason", [None] * 4 + ["not looked at here"] * 96))[0].usable().sum() == 4


def test_raccoon() -> None:
    xml, table = read(data("raccoon")), read(data("raccoon") / "data/raccoon_labels.csv")
    boxes = [sorted(map(tuple, boxes)) for boxes in xml.table["boxes"].to_pylist()]
    assert (len(xml), sum(map(len, boxes)), xml.classes) == (200, 217, ("raccoon",))
    assert xml.paths() == table.paths()
    assert boxes == [sorted(map(tuple, boxes)) for boxes in table.table["boxes"].to_pylist()]


def test_caltech3_boxes() -> None:
    index = read(data("caltech3-boxes"))
    names = np.array(index.classes)[index.labels(np.arange(len(index)))]
    assert dict(zip(*np.unique(names, return_counts=True), strict=True)) == {
        "airplane": 800,
        "face": 435,
        "motorcycle": 798,
    }
    assert index.table["box"].null_count == 0
    (row,) = (i for i, path in enumerate(index.paths()) if path == "images/airplane/image_0118.jpg")
    assert index.table["box"][row].as_py() == [104, 38, 126, 38]  # of no height, and kept for the check to name


def test_human_segmentation() -> None:
    index = read(data("human-segmentation"))
    assert (len(index), index.table["mask"].null_count) == (290, 0)
    assert index.mask_classes == ("background", "foreground")
    assert index.mask_values == {0: 0, 255: 1}
    assert all(set(np.unique(load_mask(index, row)).tolist()) <= {0, 1} for row in range(0, 290, 29))


BAD = {
    "empty.jpg": (False, "the file is empty"),
    "png-p-named.jpg": (True, "its content is PNG, its name ends in .jpg"),
    "png-rgba-named.jpg": (True, "its content is PNG, its name ends in .jpg"),
    "text-named.jpg": (False, "not an image of a known format (JPEG, PNG, TIFF, WebP and others)"),
    "truncated.jpg": (False, "image file is truncated"),
    "voc-size-zero.xml": (False, "not an image by its name (.xml)"),
}


def test_bad_files_among_good_ones_are_named(tmp_path: Path) -> None:
    bad, good = data("bad-files"), data("hymenoptera")
    for name in ("ants", "bees"):
        (tmp_path / name).mkdir()
        for photo in sorted((good / "train" / name).iterdir())[:3]:
            shutil.copy(photo, tmp_path / name)
    for file in BAD:
        shutil.copy(bad / file, tmp_path / "ants")
    before = read(tmp_path)
    after, findings = check(before, workers=2)
    assert [(finding.path, finding.used) for finding in findings] == [
        (f"ants/{name}", used) for name, (used, _) in BAD.items()
    ]
    for finding, (_, reason) in zip(findings, BAD.values(), strict=True):
        assert finding.reason.startswith(reason)
    assert (before.usable().sum(), after.usable().sum()) == (11, 8)  # the XML file is left out by its name
    with pytest.raises(DataError, match=r"got 3 of 11 \(27\.3%\)"):
        require_few_bad(before, after, 0.27)
    images = [
        batch.images
        for batch in Loader(
            IndexedImages(after), batches(np.flatnonzero(after.usable()), 8), Preprocessing((3, 32, 32), *MEAN_STD[3])
        )
    ]
    assert [len(each) for each in images] == [8]


def test_photos_decoded_small_are_close_to_photos_decoded_whole() -> None:
    """What decoding small costs a photo of 64 x 64: less than two of 255 values on average."""
    preprocessing = Preprocessing((3, 64, 64), *MEAN_STD[3])
    for path in sorted((data("hymenoptera") / "train/bees").iterdir())[:6]:
        small, whole = open_image(path), open_image(Image.open(path))
        view = preprocessing.map(small.size)
        got, expected = (each.read(view, (64, 64), 3).astype(float) for each in (small, whole))
        assert small.decode(min(view.reduction((64, 64))), 3).shape[0] <= -(-small.size[1] // 4)
        assert np.abs(got - expected).mean() < 2


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_photo_decoded_at_a_scale_is_the_average_of_its_pixels(scale: int) -> None:
    """The bound of docs/decisions/decode.md: within one of 255 values, on average."""
    for path in sorted((data("hymenoptera") / "val/ants").iterdir())[:10]:
        image = open_image(path)
        small, whole = image.decode(scale, 3), image.decode(1, 3)
        height, width = whole.shape[0] // scale, whole.shape[1] // scale
        blocks = whole[: height * scale, : width * scale].reshape(height, scale, width, scale, 3)
        assert np.abs(small[:height, :width] - blocks.mean(axis=(1, 3))).mean() < 1
