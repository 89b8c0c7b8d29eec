"""Lists and tables as well-known data sets have them, and what says the splits."""

from kin.make import Files, Means, classes, image, kin, mask, photos, voc

BREEDS = (("Abyssinian", 1, 1, 1), ("Bengal", 2, 1, 2), ("beagle", 3, 2, 1))
ATTRIBUTES = ("Male", "Smiling", "Young")


def bits(number: int) -> list[int]:
    """Which of three attributes an image has."""
    return [(number >> place) & 1 for place in range(3)]


@kin(
    Means(
        "a list of images and labels: annotations/list.txt",
        tuple(name for name, *_ in BREEDS),
        {"train": 9, "test": 3},
        note="because it is of 6 of 12 images: Pascal VOC objects",
    )
)
def pets() -> Files:
    lines = [(f"{name}_{n} {c} {s} {b}\n", n) for name, c, s, b in BREEDS for n in range(4)]
    files: Files = {f"images/{name}_{n}.jpg": image() for name, *_ in BREEDS for n in range(4)}
    files |= {f"annotations/trimaps/{name}_{n}.png": mask() for name, *_ in BREEDS for n in range(4)}
    files |= {f"annotations/xmls/{name}_{n}.xml": voc(f"{name}_{n}.jpg", "cat") for name, *_ in BREEDS for n in (0, 2)}
    files["annotations/list.txt"] = "#Image CLASS-ID SPECIES BREED ID\n" + "".join(line for line, _ in lines)
    files["annotations/trainval.txt"] = "".join(line for line, n in lines if n < 3)
    return files | {"annotations/test.txt": "".join(line for line, n in lines if n == 3)}


@kin(
    Means(
        "class folders in split train, and val by a list of images and labels",
        ("n01", "n02"),
        {"train": 8, "val": 4},
        note="boxes beside the labels are not read: val/val_annotations.txt",
    )
)
def tiny_imagenet() -> Files:
    files: Files = {f"train/{name}/images/{name}_{n}.JPEG": image() for name in ("n01", "n02") for n in range(4)}
    files |= {f"train/{name}/{name}_boxes.txt": f"{name}_0.JPEG\t0\t0\t9\t9\n" for name in ("n01", "n02")}
    files |= photos("val/images", ending=".JPEG") | photos("test/images", ending=".JPEG")
    files["val/val_annotations.txt"] = "".join(f"{n}.JPEG\tn0{1 + n % 2}\t{n}\t0\t9\t9\n" for n in range(4))
    return files | {"wnids.txt": "n01\nn02\n", "words.txt": "n01\tgoldfish\nn02\tsalamander\n"}


@kin(Means("labels in list_attr.txt, paths `image`", ATTRIBUTES, {"train": 6, "val": 1, "test": 1}))
def attributes_under_a_count() -> Files:
    rows = "".join(f"{n:03d}.jpg " + " ".join(f"{2 * bit - 1:2d}" for bit in bits(n)) + "\n" for n in range(8))
    return {f"img_align/{n:03d}.jpg": image() for n in range(8)} | {
        "list_attr.txt": f"8\n{' '.join(ATTRIBUTES)} \n{rows}",
        "list_eval_partition.txt": "".join(f"{n:03d}.jpg {max(n - 5, 0)}\n" for n in range(8)),
    }


@kin(Means("labels in attr.csv", ATTRIBUTES, {"train": 6, "val": 1, "test": 1}, note="splits by partition.csv"))
def a_table_of_splits() -> Files:
    rows = "".join(f"{n}.jpg,{','.join(str(2 * bit - 1) for bit in bits(n))}\n" for n in range(8))
    return photos("images", 0, 8) | {
        "attr.csv": f"image_id,{','.join(ATTRIBUTES)}\n{rows}",
        "partition.csv": "image_id,partition\n" + "".join(f"{n}.jpg,{max(n - 5, 0)}\n" for n in range(8)),
    }


@kin(Means("labels in labels.txt", ("cat", "dog"), {"train": 4, "test": 4}))
def a_text_file_with_a_header() -> Files:
    rows = "".join(f"{n}.jpg  {('cat', 'dog')[n % 2]} {('train', 'test')[n // 4]}\n" for n in range(8))
    return photos("images", 0, 8) | {"labels.txt": "filename label split\n" + rows}


@kin(Means("a list of images and labels: train (places_train_standard.txt) and val", counts={"train": 4, "val": 4}))
def lists_of_splits_named_unlike() -> Files:
    train = "".join(f"/train/{n}.jpg {n % 2}\n" for n in range(4))
    val = "".join(f"Places_val_{n}.jpg {n % 2}\n" for n in range(4))
    files: Files = {f"val/Places_val_{n}.jpg": image() for n in range(4)}
    return files | photos("train") | {
        "places_train_standard.txt": train, "places_val.txt": val, "categories_places.txt": "ants 0\nbees 1\n"
    }  # fmt: skip


@kin(Means("class folders in splits train, val, test", counts={"train": 4, "val": 2, "test": 2}, note="number 1 is"))
def ten_ways_to_part() -> Files:
    parts = {"train1": (0, 1), "val1": (2,), "test1": (3,), "train2": (2, 3), "val2": (1,), "test2": (0,)}
    lists: Files = {
        f"labels/{part}.txt": "".join(f"{name}/{n}.jpg\n" for name in ("ants", "bees") for n in numbers)
        for part, numbers in parts.items()
    }
    return classes("images") | lists


@kin(Means("a list of images and labels: test", counts={"train": 4, "val": 2, "test": 2}))
def lists_of_train_and_val_together() -> Files:
    parts = {"train": range(4), "val": (4, 5), "trainval": range(6), "test": (6, 7)}
    return photos("images", 0, 8) | {
        f"variant_{part}.txt": "".join(f"{n} {('ants', 'bees')[n % 2]}\n" for n in numbers)
        for part, numbers in parts.items()
    }


@kin(Means("a list of images and labels: test", ("0", "1"), {"train": 4, "test": 2}))
def names_that_repeat_in_the_splits() -> Files:
    return photos("train") | photos("test", 0, 2) | {
        "train_labels.txt": "".join(f"{n}.jpg,{n % 2}\n" for n in range(4)),
        "test_labels.txt": "".join(f"{n}.jpg,{n % 2}\n" for n in range(2)),
    }  # fmt: skip


@kin(
    Means(
        "labels in Data_Entry.csv",
        ("Effusion", "Mass", "No Finding"),
        {"train": 6, "test": 2},
        note="because it is of 2 of 8 images: boxes in BBox_List.csv",
    )
)
def chest_x_rays() -> Files:
    found = ["No Finding", "Effusion", "Mass", "Effusion|Mass"] * 2
    rows = "".join(f"{n}.png,{found[n]},{n // 2}\n" for n in range(8))
    return photos("images_001/images", 0, 8, ".png") | {
        "Data_Entry.csv": "Image Index,Finding Labels,Patient ID\n" + rows,
        "BBox_List.csv": "Image Index,Finding Label,Bbox [x,y,w,h],,\n1.png,Effusion,1,2,9,9,,\n2.png,Mass,1,2,9,9,,\n",
        "train_val_list.txt": "".join(f"{n}.png\n" for n in range(6)),
        "test_list.txt": "6.png\n7.png",
    }


@kin(
    Means(
        "labels in train.csv, paths `Path`, a class in each of 4 columns",
        ("Edema", "Fracture", "Mass", "No Finding"),
        {None: 4},
        note="-1 beside 0 and 1 is taken for uncertain, and read as 0: Mass (1).",
    )
)
def findings_that_are_uncertain() -> Files:
    cells = ("1.0,,,", ",1.0,-1.0,0.0", ",,1.0,1.0", "0.0,1.0,,1.0")
    rows = "".join(f"CheXpert/train/patient{n}/study1/v.jpg,Male,6{n},{cell}\n" for n, cell in enumerate(cells))
    files: Files = {f"train/patient{n}/study1/v.jpg": image() for n in range(4)}
    return files | {"train.csv": "Path,Sex,Age,No Finding,Edema,Mass,Fracture\n" + rows}


def labelled(labels: list[str], header: str = "image,labels") -> Files:
    """A table of images and the texts of their labels."""
    rows = "".join(f'{n}.jpg,"{label}"\n' for n, label in enumerate(labels))
    return photos("images", 0, len(labels)) | {"t.csv": f"{header}\n{rows}"}


@kin(Means("labels in t.csv", ("sea", "sunset", "trees"), {None: 8}, note="labels are several, parted by ' '"))
def labels_parted_by_spaces() -> Files:
    return labelled(["sea", "sea sunset", "sunset trees", "trees", "sunset", "trees sea", "sea trees sunset", "sea"])


@kin(Means("labels in t.csv", ("2", "10", "33"), {None: 6}, note="labels are several, parted by ' '"))
def numbers_parted_by_spaces() -> Files:
    return labelled(["2 10", "10 33", "33", "2 10 33", "2", "10"], "id,attribute_ids")


@kin(Means("labels in t.csv", ("1 1", "1 2", "2 1", "2 2"), {None: 8}))
def pairs_that_say_the_same_twice() -> Files:
    return labelled(["1 1", "1 2", "2 1", "2 2"] * 2)


@kin(Means(refused="such as '1 2', which may be names (--label-separator none) or several labels, 1 and 2"))
def pairs_of_numbers() -> Files:
    return labelled(["1 2", "2 3", "3 1", "1 3"] * 2)


@kin(Means("labels in t.csv", ("action", "comedy", "drama"), {None: 4}, note="labels are several, parted by '|'"))
def genres() -> Files:
    return labelled(["action|drama", "comedy|drama", "action|comedy", "drama"], "poster,Genre")


@kin(Means("labels in t.csv", ("African elephant", "Asian elephant", "water buffalo"), {None: 6}))
def names_of_two_words() -> Files:
    return labelled(["African elephant", "Asian elephant", "water buffalo"] * 2)


@kin(Means(refused="such as 'black dress', which may be names (--label-separator none) or several labels, black and"))
def colours_and_clothes() -> Files:
    return labelled(["black dress", "red dress", "black shirt", "red shirt"] * 2)


@kin(Means("labels in t.csv", ("cat", "dog", "fish"), {None: 4}, note="images with several rows, whose labels are all"))
def a_row_a_label() -> Files:
    rows = [(0, "cat"), (1, "cat"), (1, "dog"), (2, "fish"), (2, "dog"), (3, "fish")]
    return photos("images") | {"t.csv": "image,label\n" + "".join(f"{n}.jpg,{label}\n" for n, label in rows)}


@kin(Means("labels in t.csv", ("cat", "dog"), {"val": 2, "train": 6}, note="of the folds in `fold`, 1 is val"))
def folds_from_one() -> Files:
    rows = "".join(f"{n}.jpg,{('cat', 'dog')[n % 2]},{1 + n // 2}\n" for n in range(8))
    return photos("images", 0, 8) | {"t.csv": "image,label,fold\n" + rows}


@kin(
    Means(refused="got 4 such as 'up left', which may be names (--label-separator none) or several labels, up and left")
)
def directions() -> Files:
    return labelled(["up", "down", "left", "right", "up left", "up right", "down left", "down right"])


@kin(Means("labels in t.csv", ("cat", "dog", "fish"), {None: 5}, note="labels are several, parted by '+'"))
def labels_parted_by_a_plus() -> Files:
    return labelled(["cat+dog", "cat", "dog", "fish+dog", "fish"])


@kin(Means("labels in t.csv", ("cat", "dog"), {None: 4}))
def choices_of_label_studio() -> Files:
    rows = '0.jpg,"{""choices"":[""cat"",""dog""]}"\n1.jpg,cat\n2.jpg,dog\n3.jpg,cat\n'
    return photos("images") | {"t.csv": "image,choice\n" + rows}
