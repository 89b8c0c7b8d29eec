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


@kin(Means("images and masks (masks in LabeledApproved_full/)", (), {}, masks=4, mask_classes=("Void", "Car", "Tree")))
def camvid_as_published() -> Files:
    found: Files = {"label_colors.txt": "0 0 0\tVoid\n48 112 32\tCar\n176 112 32\tTree\n"}
    found |= {f"LabeledApproved_full/{n}_L.png": mask(mode="RGB") for n in range(4)}
    return found | photos("701_StillsRaw_full", ending=".png")


@kin(Means("images and masks", (), {}, masks=4, mask_classes=("_background_", "ants", "bees")))
def labelme_exported_to_voc() -> Files:
    return pairs("voc/JPEGImages", "voc/SegmentationClassPNG", content=mask(mode="P")) | {
        **{f"voc/SegmentationClassVisualization/{n}.jpg": image(seed=1) for n in range(4)},
        "voc/class_names.txt": "_background_\nants\nbees\n",
    }


@kin(Means("images and masks", (), {}, masks=4, mask_classes=TWO))
def a_data_set_called_after_segmentation() -> Files:
    return pairs("Kvasir-SEG/images", "Kvasir-SEG/masks", ".jpg", mask("JPEG", high=255))


@kin(Means("images and masks (masks in ISIC_Training_GroundTruth/)", (), {}, masks=4, mask_classes=TWO))
def input_and_ground_truth() -> Files:
    found = pairs("ISIC_Training_Input", "ISIC_Training_GroundTruth", "_segmentation.png", mask(high=255))
    return found | {"ISIC_Training_Input/LICENSE.txt": "x"}


@kin(Means("images and masks side by side", (), {}, masks=4, mask_classes=("urban", "water", "unknown")))
def satellite_images_and_masks_in_one_folder() -> Files:
    found: Files = {"class_dict.csv": "name,r,g,b\nurban,48,112,32\nwater,176,112,32\nunknown,0,0,0\n"}
    found |= {f"train/{n}_mask.png": mask(mode="RGB") for n in range(4)}
    return found | photos("train", ending="_sat.jpg")


@kin(Means("images and masks", (), {}, masks=3, mask_classes=TWO, note="masks, one an object, that are read as one: 3"))
def a_folder_an_image() -> Files:
    """DSB-2018: each image has a folder, with a mask a nucleus."""
    found: Files = {f"stage1/a{n}/images/a{n}.png": image("PNG") for n in range(3)}
    return found | {f"stage1/a{n}/masks/m{each}.png": mask(high=255) for n in range(3) for each in range(2)}


@kin(Means("images and masks", (), {}, masks=4, note="read as one: 1", layout_given="masks"))
def busi_with_two_masks() -> Files:
    found = classes("", 0, 2, ("benign", "malignant")) | {"benign/0_mask_1.png": mask(high=255)}
    return found | {f"{name}/{n}_mask.png": mask(high=255) for name in ("benign", "malignant") for n in range(2)}


@kin(Means(refused="Pickles are never opened, because they may run any code"))
def cifar_100_pickles() -> Files:
    return {"cifar-100-python/train": b"\x80\x02}q\x01(", "cifar-100-python/meta": b"\x80\x02}q\x01("}


@kin(Means(refused="Tables of pixels are not read"))
def table_of_pixels() -> Files:
    return {"fer2013.csv": "emotion,pixels,Usage\n0,1 2 3 4,Training\n1,4 3 2 1,PublicTest\n"}


@kin(Means(refused="6 images without a mask beside them would not be read"))
def masks_of_few() -> Files:
    found = photos("train/good", ending=".png") | photos("test/good", 0, 2, ".png")
    return found | {"test/bad/0.png": image("PNG"), "ground_truth/bad/0_mask.png": mask()}
