"""Masks, and what is not read."""

from kin.make import KIN, Files, Means, classes, image, kin, mask, photos


def pairs(images: str, masks: str, ending: str = ".png", content: bytes | None = None) -> Files:
    """Images 0 to 3 in one folder, masks in another."""
    return photos(images) | {f"{masks}/{n}{ending}".lstrip("/"): content or mask() for n in range(4)}


THREE_VALUES = ("0", "1", "2")
TWO = ("background", "foreground")
for _name, (_images, _masks, _ending, _content, _classes) in {
    "images_annotations": ("images", "annotations", ".png", mask(), THREE_VALUES),
    "img_label": ("img", "label", ".png", mask(), THREE_VALUES),
    "jpegimages_segmentationclass": ("JPEGImages", "SegmentationClass", ".png", mask(mode="P"), THREE_VALUES),
    "train_train_masks": ("train", "train_masks", "_mask.gif", mask("GIF", high=255), TWO),
    "images_labels": ("images", "labels", "_L.png", mask(), THREE_VALUES),
    "original_gt": ("images/train", "gt/train", "_gt.png", mask(high=255), TWO),
    "jpeg_masks": ("images", "masks", ".jpg", mask("JPEG", high=255), TWO),
    "rgb_black_and_white": ("images", "masks", "_segmentation.png", mask(mode="RGB", high=255), TWO),
    "tif_masks": ("image", "mask", ".tif", mask("TIFF"), THREE_VALUES),
    "mask_side_by_side": ("data", "data", "_mask.png", mask(high=255), TWO),
    "seg_suffix": ("photos", "photos", "_seg.png", mask(high=255), TWO),
}.items():
    KIN[f"masks_{_name}"] = (
        lambda a=_images, b=_masks, c=_ending, d=_content: pairs(a, b, c, d),  # type: ignore[misc]
        Means("images and masks", (), {}, masks=4, mask_classes=_classes),
    )


@kin(Means("images and masks", (), {}, masks=8, mask_classes=THREE_VALUES))
def cityscapes() -> Files:
    found: Files = {}
    for part in ("train", "val"):
        for n in range(4):
            found[f"leftImg8bit/{part}/aachen/aachen_{n}_leftImg8bit.png"] = image("PNG")
            found[f"gtFine/{part}/aachen/aachen_{n}_gtFine_labelIds.png"] = mask()
    return found


@kin(Means("images and masks", (), {}, masks=4, mask_classes=("background", "head", "leg")))
def coloured_masks_by_a_table() -> Files:
    return pairs("images", "masks", ".png", mask(mode="RGB")) | {
        "class_dict.csv": "name,r,g,b\nhead,48,112,32\nleg,176,112,32\nbackground,0,0,0\n"
    }


@kin(Means("images and masks", (), {}, masks=4, mask_classes=("sky", "head", "leg"), note="splits by valid.txt"))
def fastai_camvid() -> Files:
    return photos("images", ending=".png") | {f"labels/{n}_P.png": mask() for n in range(4)} | {
        "codes.txt": "sky\nhead\nleg\n", "valid.txt": "3.png\n"
    }  # fmt: skip


@kin(Means(refused="expected a mask of class numbers; got one of colours (#000000, #307020 and #b07020)"))
def coloured_masks_without_names() -> Files:
    return pairs("images", "masks", ".png", mask(mode="RGB"))


@kin(Means(refused="class folders (--layout folders) or images and masks side by side"))
def busi() -> Files:
    found = classes("", 0, 2, ("benign", "malignant"))
    return found | {f"{name}/{n}_mask.png": mask(high=255) for name in ("benign", "malignant") for n in range(2)}


@kin(Means(refused="TFRecord files are not read"))
def tfrecords() -> Files:
    return {"train.tfrecord": b"x"}


@kin(Means(refused="MATLAB files are not read"))
def flowers_mat() -> Files:
    return photos("jpg") | {"imagelabels.mat": b"x", "setid.mat": b"x"}


@kin(Means(refused="never opened, because"))
def cifar_pickles() -> Files:
    return {"cifar-10-batches-py/data_batch_1": b"x", "cifar-10-batches-py/batches.meta": b"x"}


@kin(Means(refused="LMDB"))
def lmdb() -> Files:
    return {"lmdb/data.mdb": b"x", "lmdb/lock.mdb": b"x"}
