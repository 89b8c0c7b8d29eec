"""Masks by the lengths of runs, in tables of competitions; images are 24 pixels wide and 16 high."""

from collections.abc import Iterable

from kin.make import Files, Means, kin, mask, photos

DOWN = " ".join(f"{16 * column + 5} 8" for column in range(4, 12))  # rows 4 to 11 of columns 4 to 11
ALONG = " ".join(f"{24 * row + 5} 8" for row in range(4, 12))
COLUMNS, ROWS = "down the columns, as the distances between runs tell", "along the rows, as the distances"


def rows(cells: Iterable[str]) -> str:
    """Lines of a table."""
    return "".join(f"{cell}\n" for cell in cells)


@kin(
    Means("masks by the lengths of runs in train.csv", (), {}, masks=3, mask_classes=("background", "1", "2"),
          note=COLUMNS)
)  # fmt: skip
def defects() -> Files:
    cells = [f"{n}.jpg,{1 + n % 2},{DOWN}" for n in range(3)]
    return photos("train_images", 0, 3) | {"train.csv": "ImageId,ClassId,EncodedPixels\n" + rows(cells)}


@kin(
    Means("masks by the lengths of runs in train.csv", (), {}, masks=4, note=COLUMNS,
          mask_classes=("background", "Fish", "Sugar"))
)  # fmt: skip
def names_joined_to_images() -> Files:
    cells = [f"{n}.jpg_{name},{DOWN}" for n in range(4) for name in ("Fish", "Sugar")]
    return photos("train_images") | {"train.csv": "Image_Label,EncodedPixels\n" + rows(cells)}


@kin(
    Means("masks by the lengths of runs in cells.csv", (), {}, masks=4, note=ROWS,
          mask_classes=("background", "foreground"))
)  # fmt: skip
def runs_along_the_rows() -> Files:
    cells = [f"{n},{ALONG},24,16" for n in range(4)]
    return photos("train") | {"cells.csv": "id,annotation,width,height\n" + rows(cells)}


@kin(Means("images and masks (masks in masks/)", (), {}, masks=4, note='says the same is not read: "masks by'))
def runs_beside_masks() -> Files:
    masks: Files = {f"masks/{n}.png": mask(high=255) for n in range(4)}
    return photos("images") | masks | {"train.csv": "id,rle_mask\n" + rows(f"{n},{DOWN}" for n in range(4))}
