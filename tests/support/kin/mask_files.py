"""Masks as competitions, papers and tools leave them: several folders of them, splits, colours and names of values."""

import io
import json

import numpy as np
from PIL import Image

from kin.make import KIN, SIZE, Files, Means, image, kin, mask, photos, voc

TWO = ("background", "foreground")
PARTS = ("background", "head", "leg")
READ = Means("images and masks", (), {}, masks=4, mask_classes=TWO)


def encoded(values: np.ndarray, kind: str = "PNG") -> bytes:
    """An image file of these pixels."""
    content = io.BytesIO()
    Image.fromarray(values).save(content, kind)
    return content.getvalue()


def drawn(*values: int) -> np.ndarray:
    """A mask of 0 and, in a column of its own, each of the values."""
    found = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    for place, value in enumerate(values):
        found[2:9, 1 + 5 * place : 5 + 5 * place] = value
    return found


def beside(masks: dict[str, bytes], images: str = "images", first: int = 0, last: int = 4) -> Files:
    """Images, and masks whose paths have the number of their image in braces."""
    found = photos(images, first, last)
    return found | {path.format(n): content for path, content in masks.items() for n in range(first, last)}


@kin(Means("images and masks (masks in masks/train/ and masks/val/), in splits train, val", (), {}, masks=6))
def masks_of_splits_beside_a_folder_of_all_images() -> Files:
    found = beside({"masks/train/{}.png": mask(high=255)})
    return found | beside({"masks/val/{}.png": mask(high=255)}, first=4, last=6)


@kin(Means("images and masks (masks in masks/), in splits train, val", (), {}, masks=6))
def images_of_splits_beside_a_folder_of_all_masks() -> Files:
    masks: Files = {f"masks/{n}.png": mask(high=255) for n in range(6)}
    return photos("images/train") | photos("images/val", 4, 6) | masks


@kin(Means("images and masks (masks in train/lbl_mask/)", (), {}, masks=4, note="val/x/mask/ (4)"))
def masks_of_a_split_without_images() -> Files:
    """Of which the names are those of images in train."""
    return beside({"train/lbl_mask/{}.png": mask(high=255), "val/x/mask/{}.png": mask(high=255)}, "train/img")


@kin(Means("Pascal VOC objects", ("cat",), {None: 4}, boxes=4, masks=4))
def voc_with_masks_of_classes_and_of_objects() -> Files:
    objects = encoded(drawn(1, 2, 3, 4))
    found = beside({"SegmentationClass/{}.png": mask(mode="P"), "SegmentationObject/{}.png": objects}, "JPEGImages")
    return found | {f"Annotations/{n}.xml": voc(f"{n}.jpg", "cat") for n in range(4)}


@kin(Means("images and masks (masks in masks/)", (), {}, masks=4, mask_classes=TWO, note="masks_color/ (4)"))
def masks_beside_their_colours() -> Files:
    return beside({"masks/{}.png": mask(high=255), "masks_color/{}.png": mask(mode="RGB")})


@kin(Means(refused="images of images/ have masks in both masks/ and trimaps/: move those away"))
def masks_of_two_kinds() -> Files:
    return beside({"masks/{}.png": mask(high=255), "trimaps/{}.png": mask()})


@kin(Means(refused="masks of train/label/ could be of train/A/ or of train/B/: move one away"))
def before_and_after() -> Files:
    """LEVIR-CD and its kin: two photos of a place, and what changed."""
    found: Files = {}
    for part in ("train", "val"):
        found |= photos(f"{part}/B") | beside({part + "/label/{}.png": mask(high=255)}, f"{part}/A")
    return found


@kin(Means(refused="values from 1 on without a gap, 1 in one image and 4 in another, which number objects"))
def masks_that_number_people() -> Files:
    """Penn-Fudan: each person on an image has a number."""
    masks: Files = {f"PedMasks/{n}_mask.png": encoded(drawn(*range(1, n + 2))) for n in range(4)}
    return photos("PNGImages", ending=".png") | masks


@kin(Means(refused="holds masks of the images beside it, by its pixels"))
def masks_by_pixels_beside_others() -> Files:
    """KITTI's semantics, where no folder says that it holds masks."""
    deep = encoded(drawn(7, 26).astype(np.uint16) * 256)
    masks = {"training/semantic/{}.png": encoded(drawn(7, 26)), "training/instance/{}.png": deep}
    return beside(masks, "training/image_2") | photos("testing/image_2", 0, 2)


@kin(Means("images and masks side by side", (), {}, masks=4, note="second masks or drawings of other images: 0_2ndHO"))
def two_observers() -> Files:
    return beside({"{}_1stHO.png": mask(high=255), "{}_2ndHO.png": mask(high=255)}, "")


@kin(Means("images and masks side by side", (), {}, masks=4, mask_classes=TWO))
def a_folder_an_image_with_its_mask() -> Files:
    images: Files = {f"p{n}/img.png": image("PNG") for n in range(4)}
    return images | {f"p{n}/label.png": mask(high=255) for n in range(4)}


@kin(Means(refused="got grey levels (0, 127 and 255). Name each with --mask-classes, such as --mask-classes.127 NAME"))
def grey_levels() -> Files:
    return beside({"masks/{}.png": encoded(drawn(127, 255))})


@kin(READ)
def masks_by_transparency() -> Files:
    clear = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    return beside({"masks/{}.png": encoded(np.dstack([clear, drawn(255)]))})


def black_and_white() -> Files:
    return beside({"masks/{}.png": mask(mode="RGB", high=255)})


for _file, _text in {
    "class_dict.csv": "name,r,g,b\nbackground,0,0,0\nroad,255,255,255\n",
    "label_class_dict.csv": "name,r,g,b\nbackground,0,0,0\nroad,255,255,255\n",
}.items():
    KIN[f"black_and_white_named_by_{_file}"] = (
        lambda file=_file, text=_text: black_and_white() | {file: text},  # type: ignore[misc]
        Means("images and masks", (), {}, masks=4, mask_classes=("background", "road")),
    )

COLOURS = {"background": (0, 0, 0), "head": (48, 112, 32), "leg": (176, 112, 32)}
HEX = {name: "#{:02x}{:02x}{:02x}".format(*colour) for name, colour in COLOURS.items()}
for _file, _text in {
    "palette.txt": "".join(f"{r} {g} {b} {name}\n" for name, (r, g, b) in COLOURS.items()),
    "colors.txt": "".join(f"{name} {colour}\n" for name, colour in HEX.items()),
    "colormap.json": json.dumps(COLOURS),
    "classes.json": json.dumps([{"name": name, "color": colour} for name, colour in HEX.items()]),
    "class_colors.csv": "class;R;G;B\n" + "".join(f"{name};{r};{g};{b}\n" for name, (r, g, b) in COLOURS.items()),
    "label_colors.csv": "label,red,green,blue\n" + "".join(f"{n},{r},{g},{b}\n" for n, (r, g, b) in COLOURS.items()),
    "labelmap.csv": "name,color\n" + "".join(f"{name},{colour}\n" for name, colour in HEX.items()),
}.items():
    KIN[f"colours_named_by_{_file}"] = (
        lambda file=_file, text=_text: beside({"masks/{}.png": mask(mode="RGB")}) | {file: text},  # type: ignore[misc]
        Means("images and masks", (), {}, masks=4, mask_classes=PARTS),
    )

RECORDS = [{"color": [n, 0, 0], "name": f"x--{name}", "readable": name} for n, name in enumerate(PARTS)]
for _file, _text, _classes in (
    ("classes.txt", "0 background\n1 head\n2 leg\n", PARTS),
    ("labels.txt", "0: background\n1: head\n2: leg\n3: arm\n", (*PARTS, "arm")),
    ("classes.json", json.dumps(dict(enumerate(PARTS))), PARTS),
    ("label_map.json", json.dumps({"head": 1, "leg": 2}), PARTS),
    ("config.json", json.dumps({"labels": RECORDS}), tuple(f"x--{name}" for name in PARTS)),
    ("objectInfo150.txt", "Idx\tRatio\tStuff\tName\n1\t0.15\t1\thead\n2\t0.1\t1\tleg, limb\n", ("head", "leg, limb")),
):
    KIN[f"numbers_named_by_{_file}"] = (
        lambda file=_file, text=_text: beside({"masks/{}.png": mask()}) | {file: text},  # type: ignore[misc]
        Means("images and masks", (), {}, masks=4, mask_classes=_classes),
    )
