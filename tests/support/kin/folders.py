"""Class folders and their kin."""

from kin.make import KIN, Files, Means, classes, image, kin, mask, photos

SPLIT: dict[str | None, int] = {"train": 4, "val": 2, "test": 2}


def three(train: str, val: str, test: str) -> Files:
    """Class folders in three splits of these names."""
    return classes(train, 0, 2) | classes(val, 2, 3) | classes(test, 3, 4)


for _number, _names in enumerate(
    [
        ("training_set", "validation_set", "test_set"),
        ("Training", "Validation", "Testing"),
        ("train_images", "val_images", "test_images"),
        ("images_train", "images_val", "images_test"),
        ("TRAIN", "VALID", "TEST"),
        ("tr", "val", "te"),
        ("train2017", "val2017", "test2017"),
        ("trainset", "devset", "testset"),
        ("train_data", "dev_data", "eval_data"),
        ("data/train", "data/valid", "data/test"),
        ("dataset/dataset/train", "dataset/dataset/validation", "dataset/dataset/test"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("flowers-train", "flowers-valid", "flowers-test"),
        ("split/TrainImages", "split/ValImages", "split/TestImages"),
        ("train/images", "val/images", "test/images"),
        ("imgs/train", "imgs/val", "imgs/test"),
        ("train_zip/train", "val_zip/val", "test_zip/test"),
        ("1_train", "2_val", "3_test"),
        ("x_train", "x_val", "x_test"),
    ]
):
    KIN[f"splits_{_names[0].replace('/', '-')}"] = (
        lambda names=_names: three(*names),  # type: ignore[misc]
        Means("class folders in splits train", counts=SPLIT),
    )


@kin(Means("class folders", counts={"train": 4, "val": 4}))
def split_after_the_class() -> Files:
    return classes("", 0, 2, ("ants_train", "bees_train")) | classes("", 0, 2, ("ants_val", "bees_val"))


@kin(Means("class folders", counts={"train": 4, "test": 4}))
def split_below_the_class() -> Files:
    return {
        f"{name}/{part}/{number}.jpg": image()
        for name in ("ants", "bees")
        for part in ("train", "test")
        for number in (0, 1)
    }


@kin(Means("class folders"))
def wrapped_thrice() -> Files:
    return classes("archive/animals/animals") | {"archive/README.md": "x"}


@kin(Means("class folders"))
def images_below_the_class() -> Files:
    return {f"{name}/images/{number}.jpg": image() for name in ("ants", "bees") for number in range(4)}


@kin(Means("class folders"))
def doubled_class_folders() -> Files:
    return {f"{name}/{name}/{number}.jpg": image() for name in ("ants", "bees") for number in range(4)}


@kin(Means("class folders"))
def sessions_below_the_class() -> Files:
    return {f"{name}/session{s}/{n}.jpg": image() for name in ("ants", "bees") for s in (1, 2) for n in (0, 1)}


@kin(Means("class folders"))
def mixed_depth() -> Files:
    return photos("ants") | photos("bees", 0, 2) | photos("bees/more/deep", 2, 4)


@kin(Means(refused="class folders (--layout folders) or class folders one level deeper (--layout subfolders)"))
def two_levels() -> Files:
    return {f"{top}/{low}/0.jpg": image() for top, low in (("fish", "trout"), ("fish", "perch"), ("birds", "robin"))}


@kin(Means("class folders", classes=("birds", "fish"), counts={None: 3}, layout_given="folders"))
def two_levels_outer() -> Files:
    return two_levels()


@kin(Means("class folders one", classes=("perch", "robin", "trout"), counts={None: 3}, layout_given="subfolders"))
def two_levels_inner() -> Files:
    return two_levels()


@kin(Means(refused="a class would be called train"))
def vehicles() -> Files:
    return classes("", names=("car", "bus", "train"))


@kin(Means(refused="a class would be called images"))
def one_folder_of_images() -> Files:
    return photos("images")


@kin(Means(refused="in the names of files, give --label-pattern"))
def cat_0_jpg() -> Files:
    return {f"train/{name}.{number}.jpg": image() for name in ("ants", "bees") for number in range(4)} | photos("test1")


@kin(Means("labels in the names", counts={"train": 8}, label_pattern=r"^([a-z]+)\.", note="does not fit"))
def cat_0_jpg_by_pattern() -> Files:
    return cat_0_jpg()


@kin(Means("labels in the names", label_pattern=r"/([^/]+)_\d+\.jpg$"))
def pattern_of_a_path() -> Files:
    return {f"images/{name}_{number}.jpg": image() for name in ("ants", "bees") for number in range(4)}


@kin(Means("class folders", note="without an image, which is no class: wasps"))
def empty_class() -> Files:
    return classes() | {"wasps/": ""}


@kin(Means("class folders", counts={"train": 4, "val": 3}, note="class folders without an image: val/bees"))
def class_empty_in_val() -> Files:
    return classes("train", 0, 2) | photos("val/ants", 0, 3) | {"val/bees/": ""}


@kin(Means("class folders", note="left out: 7 hidden or left by a system"))
def litter() -> Files:
    return classes() | {
        ".git/config": "x", ".DS_Store": "x", "__MACOSX/ants/._0.jpg": "x", "ants/Thumbs.db": "x",
        "ants/._0.jpg": image(), "bees/desktop.ini": "x", ".ipynb_checkpoints/0-checkpoint.jpg": image(),
    }  # fmt: skip


@kin(Means("class folders", note="read because they are images by their content: ants/0, ants/1, ants/2, ants/3"))
def no_suffix() -> Files:
    return {f"{name}/{number}": image() for name in ("ants", "bees") for number in range(4)}


@kin(Means("class folders", note="no images by their content either: ants/tmp"))
def stray_file_without_suffix() -> Files:
    return classes() | {"ants/tmp": "text"}


@kin(Means("class folders"))
def upper_case_suffixes() -> Files:
    return {f"{name}/IMG_{number}.JPG": image() for name in ("ants", "bees") for number in range(4)}


@kin(Means("class folders", classes=("1", "2", "10", "21")))
def numbers_as_classes() -> Files:
    return classes("", 0, 2, ("1", "10", "2", "21"))


@kin(Means("class folders", classes=("n01440764", "n01443537"), counts={"train": 8}))
def wnids() -> Files:
    return classes("ILSVRC/train", names=("n01440764", "n01443537")) | photos("ILSVRC/val")


@kin(Means("class folders", classes=("BACKGROUND_Google", "accordion"), note="BACKGROUND_Google/tmp"))
def caltech_101() -> Files:
    found = classes("101_ObjectCategories", names=("accordion", "BACKGROUND_Google"))
    return found | {"101_ObjectCategories/BACKGROUND_Google/tmp": "x"}


@kin(Means("class folders in splits train, val, test", counts={"train": 4, "val": 2, "test": 2}, note="splits by"))
def food_101() -> Files:
    lists = {
        "food/meta/train.txt": "ants/0\nants/1\nbees/0\nbees/1\n", "food/meta/test.txt": "ants/2\nbees/2\n",
        "food/meta/val.txt": "ants/3\nbees/3\n", "food/meta/classes.txt": "ants\nbees\n",
    }  # fmt: skip
    return classes("food/images") | lists


@kin(Means("class folders", counts={"train": 4}, note="in no class folder: test/"))
def kaggle_folders_with_a_flat_test() -> Files:
    return classes("train", 0, 2) | photos("test") | {"sample_submission.csv": "id,label\n0,ants\n"}


@kin(Means("class folders", counts={"train": 4}, note="in no class folder: test/unknown/"))
def keras_unknown() -> Files:
    return classes("train", 0, 2) | photos("test/unknown")


@kin(Means("class folders in splits train, val (dev), test (holdout)", counts=SPLIT))
def holdout() -> Files:
    return three("train", "dev", "holdout")


@kin(Means("class folders in split train", counts={"train": 8}, note="asl_alphabet_test/asl_alphabet_test/ (4)"))
def asl_with_a_flat_test_in_a_folder_of_its_name() -> Files:
    return classes("asl_alphabet_train/asl_alphabet_train") | photos("asl_alphabet_test/asl_alphabet_test")


@kin(Means("class folders", note="outside the class folders: insects/"))
def packed_twice() -> Files:
    return classes("", 0, 4) | classes("insects", 0, 4)


@kin(Means(refused="a class would be called docs"))
def figures_of_a_project() -> Files:
    return classes() | photos("docs", 0, 1)


@kin(Means("class folders, all of one class, UTKFace", classes=("UTKFace",), counts={None: 4}))
def one_folder() -> Files:
    return {f"UTKFace/{20 + n}_0_2_2017{n}.jpg.chip.jpg": image() for n in range(4)}


@kin(Means(refused="one class, default, and annotations/default.json would not be read"))
def datumaro() -> Files:
    return photos("images/default") | {"annotations/default.json": '{"items": [{"id": "0", "annotations": []}]}'}


@kin(Means(refused="the classes would be called 100CANON and 101CANON"))
def memory_card() -> Files:
    return photos("DCIM/100CANON") | photos("DCIM/101CANON")


@kin(Means(refused="testA, testB, trainA and trainB, of which some are splits"))
def two_domains() -> Files:
    return photos("trainA") | photos("trainB") | photos("testA") | photos("testB")


@kin(Means(refused="bounding_box_test, bounding_box_train and query, of which some are splits"))
def people_to_be_found_again() -> Files:
    return photos("bounding_box_train") | photos("bounding_box_test") | photos("query")


@kin(Means("class folders", classes=("Ann_Lee", "Bob_Ray"), counts={None: 4}))
def a_name_that_is_short_for_annotations() -> Files:
    return {f"lfw/{name}/{name}_000{n}.jpg": image() for name in ("Ann_Lee", "Bob_Ray") for n in (1, 2)}


@kin(
    Means("class folders in splits train, test", counts={"train": 4, "test": 4}, note="splits by CUB/train_test_split")
)
def cub_200() -> Files:
    paths = [f"{name}/{name}_{n}.jpg" for name in ("ants", "bees") for n in range(4)]
    lines = list(enumerate(paths, 1))
    return {f"CUB/images/{path}": image() for path in paths} | {
        "CUB/images.txt": "".join(f"{n} {path}\n" for n, path in lines),
        "CUB/image_class_labels.txt": "".join(f"{n} {1 + (n > 4)}\n" for n, _ in lines),
        "CUB/train_test_split.txt": "".join(f"{n} {n % 2}\n" for n, _ in lines),
        "CUB/bounding_boxes.txt": "".join(f"{n} 1.0 2.0 9.0 8.0\n" for n, _ in lines),
        "CUB/classes.txt": "1 ants\n2 bees\n",
    }


@kin(Means("a list of images and labels: image_class", counts={"train": 4, "test": 4}, note="train_test_split.txt"))
def cub_200_in_one_folder() -> Files:
    return {f"images/bird_{n}.jpg": image() for n in range(8)} | {
        "images.txt": "".join(f"{n} bird_{n}.jpg\n" for n in range(8)),
        "image_class_labels.txt": "".join(f"{n} {n // 4}\n" for n in range(8)),
        "train_test_split.txt": "".join(f"{n} {n % 2}\n" for n in range(8)),
        "classes.txt": "0 ants\n1 bees\n",
    }


@kin(Means("class folders in split train", counts={"train": 8}))
def boxes_beside_images_of_a_class() -> Files:
    """Tiny ImageNet's training images."""
    boxes = "".join(f"{n}.jpg\t0\t0\t9\t9\n" for n in range(4))
    return {f"train/{name}/images/{n}.jpg": image() for name in ("ants", "bees") for n in range(4)} | {
        f"train/{name}/{name}_boxes.txt": boxes for name in ("ants", "bees")
    }


def folds(*names: str) -> Files:
    """Class folders in folders of folds."""
    return {path: content for name in names for path, content in classes(name, 0, 2).items()}


@kin(Means("class folders in splits train (fold2 and fold3)", counts={"train": 8, "val": 4}, note="fold1 is val, and"))
def folds_by_name() -> Files:
    return folds("fold1", "fold2", "fold3")


@kin(Means("class folders in splits train (Fold_1)", counts={"train": 4, "val": 4}, note="Fold_0 is val, and the"))
def folds_from_zero() -> Files:
    return folds("data/Fold_0", "data/Fold_1")


@kin(Means("class folders in splits train", counts={"train": 8, "val": 4}, note="3 folds in folders: 1 is val, and"))
def folds_by_number() -> Files:
    return folds("folds/1", "folds/2", "folds/10")


@kin(Means("class folders in splits train, test (public_test)", counts={"train": 8, "test": 4}))
def a_split_by_another_name() -> Files:
    return classes("train") | classes("public_test", 0, 2)


@kin(Means(refused="query/ holds the same classes and is no split by its name"))
def a_split_of_no_known_name() -> Files:
    return classes("train") | classes("query", 0, 2)


@kin(
    Means(
        "class folders in splits train, val", ("Cat", "caf\u00e9"), {"train": 8, "val": 4}, note="differ in capitals or"
    )
)
def names_in_two_spellings() -> Files:
    return classes("train", names=("Cat", "cafe\u0301")) | classes("val", 0, 2, ("cat", "caf\u00e9"))


@kin(Means(refused="Cat would be a class beside that in small letters"))
def names_in_two_spellings_side_by_side() -> Files:
    return classes(names=("Cat", "cat", "dog"))


@kin(Means("class folders", ("A", "a")))
def letters() -> Files:
    return classes(names=("A", "a"))


@kin(Means("boxes of MOT", ("Pedestrian",), {None: 4}, boxes=4))
def boxes_of_a_video() -> Files:
    return photos("MOT/img1") | {"MOT/gt/gt.txt": "".join(f"{n},1,1,2,9,8,1,1,1\n" for n in range(4))}


@kin(Means(refused="b/ holds masks of the images beside it, by its pixels"))
def masks_that_only_pixels_tell() -> Files:
    return photos("a", ending=".png") | {f"b/{n}.png": mask() for n in range(4)}


@kin(Means("class folders", ("a", "b"), {None: 8}))
def classes_of_images_with_the_same_names() -> Files:
    return photos("a", ending=".png") | photos("b", ending=".png")


@kin(Means(refused="class folders (--layout folders) or class folders one level deeper (--layout subfolders)"))
def domains_that_wrap_their_classes() -> Files:
    return classes("amazon/images") | classes("webcam/images")


@kin(Means(refused="casting/casting/test/ would be a part of a class, and no split"))
def a_set_beside_its_raw_images() -> Files:
    return classes("big/big") | classes("casting/casting/train") | classes("casting/casting/test")


@kin(
    Means("class folders in splits train, val (valid)", counts={"train": 8, "val": 4}, note="in no class folder: test/")
)
def a_flat_test_beside_the_set() -> Files:
    return classes("New Plants/New Plants/train") | classes("New Plants/New Plants/valid", 0, 2) | photos("test/test")


@kin(Means(refused="a class would be called predictions"))
def predictions_beside_the_classes() -> Files:
    return classes() | photos("predictions", 0, 2)
