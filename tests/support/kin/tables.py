"""Tables and lists."""

import io
import json
import zipfile

from kin.make import KIN, Files, Means, classes, image, kin, photos, voc


@kin(Means("labels in train.csv"))
def kaggle_ids() -> Files:
    rows = "".join(f"a{n},ants\nb{n},bees\n" for n in range(4))
    images = {f"train/{letter}{n}.jpg": image() for letter in "ab" for n in range(4)}
    return images | photos("test") | {"train.csv": "id,label\n" + rows, "sample_submission.csv": "id,label\n0,ants\n"}


@kin(Means("labels in labels.csv", note="columns that are not read: width"))
def table_beside_images() -> Files:
    rows = "".join(f"{n}.jpg,{'ants' if n < 4 else 'bees'},9\n" for n in range(8))
    return photos("images", 0, 8) | {"labels.csv": "image_name,species,width\n" + rows}


@kin(Means("labels in meta.csv", given="tables/meta.csv"))
def table_in_a_folder_beside() -> Files:
    rows = "".join(f"{n},{'ants' if n < 4 else 'bees'}\n" for n in range(8))
    return photos("images", 0, 8) | {"tables/meta.csv": "image_id,class\n" + rows}


@kin(Means("labels in tables of the splits", counts={"train": 4, "test": 4}))
def a_table_a_split() -> Files:
    train = "filename,label\n" + "".join(f"{n}.jpg,{'ants' if n < 2 else 'bees'}\n" for n in range(4))
    test = "filename,label\n" + "".join(f"{n}.jpg,{'ants' if n < 6 else 'bees'}\n" for n in range(4, 8))
    return photos("images", 0, 8) | {"train.csv": train, "test.csv": test}


@kin(Means("labels in tables of the splits", counts={"train": 4, "test": 4}))
def gtsrb() -> Files:
    train = "Width,Height,ClassId,Path\n" + "".join(f"24,16,{c},Train/{c}/{n}.png\n" for c in (0, 1) for n in (0, 1))
    test = "Width,Height,ClassId,Path\n" + "".join(f"24,16,{n % 2},Test/{n}.png\n" for n in range(4))
    images = {f"Train/{c}/{n}.png": image("PNG") for c in (0, 1) for n in (0, 1)}
    return images | {f"Test/{n}.png": image("PNG") for n in range(4)} | {"Train.csv": train, "Test.csv": test}


KIN["gtsrb"] = gtsrb, Means("labels in tables of the splits", ("0", "1"), {"train": 4, "test": 4})


@kin(Means("labels in list.csv", counts={"train": 6, "val": 2}))
def semicolons_and_folds() -> Files:
    rows = "".join(f"images\\{n}.jpg;{'ants' if n < 4 else 'bees'};{n % 4}\r\n" for n in range(8))
    return photos("images", 0, 8) | {"list.csv": "Image;Category;fold\r\n" + rows}


@kin(Means("labels in list.csv", classes=("abeja", "año"), note="Latin-1"))
def latin_1() -> Files:
    rows = "".join(f"{n}.jpg;{'año' if n < 4 else 'abeja'}\n" for n in range(8))
    return photos("", 0, 8) | {"list.csv": ("file;label\n" + rows).encode("cp1252")}


@kin(Means("labels in list.csv", classes=("abeja", "año")))
def utf_16() -> Files:
    rows = "".join(f"{n}.jpg\t{'año' if n < 4 else 'abeja'}\n" for n in range(8))
    return photos("", 0, 8) | {"list.csv": ("file\tlabel\n" + rows).encode("utf-16")}


@kin(Means("labels in list.csv", counts={"train": 4, "val": 2, "test": 2}))
def subset_column() -> Files:
    parts = ["Training"] * 2 + ["Validation", "Test"]
    rows = "".join(f"{n}.jpg,{'ants' if n < 4 else 'bees'},{parts[n % 4]}\n" for n in range(8))
    return photos("", 0, 8) | {"list.csv": "img,target,subset\n" + rows}


@kin(Means("labels in _classes.csv", counts={"train": 4, "val": 4}))
def roboflow_one_hot() -> Files:
    table = "filename, ants, bees\n" + "".join(f"{n}.jpg, {int(n < 2)}, {int(n >= 2)}\n" for n in range(4))
    return photos("train") | photos("valid") | {"train/_classes.csv": table, "valid/_classes.csv": table}


KIN["roboflow_one_hot"] = roboflow_one_hot, Means("labels in tables of the splits", counts={"train": 4, "val": 4})


@kin(Means("labels in train.csv", classes=("ants", "bees"), counts={None: 4}))
def several_labels() -> Files:
    return photos("images") | {"train.csv": "image_id,ants,bees\n0.jpg,1,1\n1.jpg,0,1\n2.jpg,1,0\n3.jpg,0,0\n"}


@kin(Means("labels in labels.json"))
def json_of_labels() -> Files:
    return photos("images", 0, 8) | {
        "labels.json": json.dumps({f"{n}.jpg": "ants" if n < 4 else "bees" for n in range(8)})
    }


@kin(Means("labels in metadata.jsonl", counts={"train": 4}))
def hugging_face_metadata() -> Files:
    rows = "".join(json.dumps({"file_name": f"{n}.jpg", "label": "ants" if n < 2 else "bees"}) + "\n" for n in range(4))
    return photos("train") | {"train/metadata.jsonl": rows}


@kin(Means(refused="expected one column of labels; got species and breed"))
def two_columns_of_labels() -> Files:
    return photos("") | {"t.csv": "file,species,breed\n0.jpg,cat,a\n1.jpg,cat,b\n2.jpg,dog,c\n3.jpg,dog,c\n"}


@kin(Means(refused="no column of t.csv is known to hold labels"))
def no_column_of_labels() -> Files:
    return photos("images") | {"t.csv": "file,width,comment\n0.jpg,9,x\n1.jpg,9,y\n2.jpg,8,z\n3.jpg,9,x\n"}


@kin(Means("a list of images and labels", classes=("0", "1"), counts={"train": 4, "val": 2, "test": 2}))
def flowers_lists() -> Files:
    line = {part: "".join(f"jpg/{n}.jpg {n % 2}\n" for n in numbers) for part, numbers in
            {"train": range(4), "valid": (4, 5), "test": (6, 7)}.items()}  # fmt: skip
    return photos("jpg", 0, 8) | {f"{part}.txt": text for part, text in line.items()}


@kin(Means("a list of images and labels", classes=("Abyssinian", "Bengal"), given="annotations/trainval.txt"))
def pets_list() -> Files:
    lines = "#Image CLASS-ID SPECIES BREED ID\n"
    lines += "".join(f"{name}_{n} {c} 1 {c}\n" for c, name in ((1, "Abyssinian"), (2, "Bengal")) for n in range(4))
    images = {f"images/{name}_{n}.jpg": image() for name in ("Abyssinian", "Bengal") for n in range(4)}
    return images | {"annotations/trainval.txt": lines}


@kin(Means("a list of images and labels", classes=("707-320", "Fokker 100"), counts={None: 4}))
def aircraft_list() -> Files:
    images = {f"images/{n:07d}.jpg": image() for n in range(4)}
    return images | {"images_variant.txt": "0000000 707-320\n0000001 Fokker 100\n0000002 707-320\n0000003 Fokker 100\n"}


@kin(Means("a list of images and labels", classes=("ants", "bees"), counts={None: 4}, note="names of classes by"))
def list_of_numbers_with_names() -> Files:
    return photos("images") | {
        "list.txt": "".join(f"images/{n}.jpg {n % 2}\n" for n in range(4)),
        "classes.txt": "ants\nbees\n",
    }


def numbered(name: str, table: str, more: Files) -> Files:
    """Images of numbered classes, and what names them."""
    rows = "".join(f"{n}.jpg,{n // 4}\n" for n in range(8))
    return photos("images", 0, 8) | {name: f"{table}\n{rows}"} | more


for _name, _files in {
    "a_list": {"class_names.txt": "ants\nbees\n"},
    "a_table": {"classes.csv": "class_id,class_name\n0,ants\n1,bees\n"},
    "json_by_number": {"label_num_to_disease_map.json": '{"0": "ants", "1": "bees"}'},
    "json_by_name": {"class_indices.json": '{"ants": 0, "bees": 1}'},
}.items():
    for _given in ("", "train.csv"):
        KIN[f"names_of_numbers_by_{_name}{'_given' * bool(_given)}"] = (
            lambda files=_files: numbered("train.csv", "image_id,label", files),  # type: ignore[misc]
            Means("labels in train.csv", note="names of classes by", given=_given),
        )


@kin(Means(refused="MATLAB files are not read"))
def names_of_classes_without_labels() -> Files:
    """Oxford's 102 flowers, of which the names lie beside in JSON."""
    return photos("jpg", 1, 5) | {"cat_to_name.json": '{"1": "primrose", "2": "orchid"}', "imagelabels.mat": b"x"}


@kin(Means("labels in train.csv", note="columns that are not read: Label"))
def numbers_beside_their_names() -> Files:
    rows = "".join(f"{n}.jpg,{n // 4},{('ants', 'bees')[n // 4]}\n" for n in range(8))
    return photos("images", 0, 8) | {"train.csv": "Filename,Label,ClassName\n" + rows}


@kin(Means("labels in list.csv"))
def lists_of_python() -> Files:
    rows = "".join(f"{n}.jpg,\"['ants', 'bees']\"\n" if n % 2 else f"{n}.jpg,['bees']\n" for n in range(8))
    return photos("images", 0, 8) | {"list.csv": "file,labels\n" + rows}


def measurements() -> Files:
    rows = "".join(f"{n}.jpg,{n * 1.37}\n" for n in range(8))
    return photos("images", 0, 8) | {"labels.csv": "file,label\n" + rows}


for _given in ("", "labels.csv"):
    KIN[f"measurements{'_given' * bool(_given)}"] = (
        measurements,
        Means(refused="`label` holds measurements such as 1.37, and each would be a class", given=_given),
    )


@kin(Means("labels in data.csv", note="columns that are not read"))
def a_column_called_by_a_letter_and_a_bracket() -> Files:
    """NIH's chest X-rays, whose header has commas in brackets."""
    rows = "".join(f"{n}.png,{('ants', 'bees')[n % 2]},0,{n},24,16\n" for n in range(8))
    return photos("images", 0, 8, ".png") | {
        "data.csv": "Image Index,Finding Labels,Follow-up #,Patient ID,Original[Width,Height],Spacing[x,y]\n"
        + rows.replace("\n", ",0.1,0.1\n")
    }


def two_columns(header: str, cells: str = "{n}.jpg,{name}") -> Files:
    """A table of images and their classes."""
    rows = "".join(cells.format(n=n, name=("ants", "bees")[n % 2], k=n % 2) + "\n" for n in range(8))
    return photos("images", 0, 8) | {"t.csv": f"{header}\n{rows}"}


for _name, (_header, _cells) in {
    "lines_before_the_header": ("\nMy insects,\n\n# made in 2024\nimage,label", "{n}.jpg,{name}"),
    "german": ("Bild;Klasse", "{n}.jpg;{name}"),
    "chinese": ("文件名,类别", "{n}.jpg,{name}"),
    "a_label_by_any_name": ("photo,insect", "{n}.jpg,{name}"),
    "images_in_another_format": ("image,label", "{n}.png,{name}"),
    "numbers_under_label_beside_names": ("image,label,label_name", "{n}.jpg,{k},{name}"),
}.items():
    KIN[f"header_{_name}"] = (
        lambda header=_header, cells=_cells: two_columns(header, cells),  # type: ignore[misc]
        Means("labels in t.csv"),
    )


@kin(Means("labels in t.csv", counts={None: 6}, note="labels that say there is none (NULL and nan): 2"))
def labels_that_are_not_a_number() -> Files:
    files = two_columns("image,label")
    return files | {"t.csv": str(files["t.csv"]).replace("7.jpg,bees", "7.jpg,nan").replace("6.jpg,ants", "6.jpg,NULL")}


@kin(Means("labels in t.csv", counts={"train": 4, "val": 2, "test": 2}))
def splits_in_two_letters() -> Files:
    rows = "".join(f"{n}.jpg,{('ants', 'bees')[n % 2]},{('tr', 'tr', 'va', 'te')[n // 2]}\n" for n in range(8))
    return photos("images", 0, 8) | {"t.csv": "image,label,set\n" + rows}


@kin(Means(refused="got 24 different numbers for 24 images, and each would be a class: --layout table reads it so"))
def whole_numbers_that_measure() -> Files:
    rows = "".join(f"{n}.jpg,{20 + 3 * n}\n" for n in range(24))
    return photos("images", 0, 24) | {"t.csv": "image,label\n" + rows}


@kin(Means("boxes in t.csv, paths `image_id`, objects `PredictionString`", counts={None: 7}, boxes=12))
def boxes_in_a_text() -> Files:
    cells = [f"{('ants', 'bees')[n % 2]} 1 2 9 8 {'ants 3 4 9 9' * (n < 5)}" * (n < 7) for n in range(8)]
    rows = "".join(f"{n},{cell}\n" for n, cell in enumerate(cells))
    return photos("images", 0, 8) | {"t.csv": "image_id,PredictionString\n" + rows}


WNIDS = ("n01440764", "n01443537")


@kin(
    Means(
        "class folders in split train, and val by boxes in tables of the splits",
        WNIDS,
        {"train": 6, "val": 4},
        note="boxes beside the classes are not read",
    )
)
def imagenet_on_kaggle() -> Files:
    """Boxes of some images of train, of all of val, and again in XML."""
    top, names = "ILSVRC/Data/CLS-LOC", [(wnid, f"{wnid}_{n}") for wnid in WNIDS for n in range(3)]
    files: Files = {f"{top}/train/{wnid}/{name}.JPEG": image() for wnid, name in names}
    files |= {f"{top}/{part}/ILSVRC2012_{part}_{n:08d}.JPEG": image() for part in ("val", "test") for n in range(4)}
    val = [(WNIDS[n % 2], f"ILSVRC2012_val_{n:08d}") for n in range(4)]
    for part, rows in (("train", names[::2]), ("val", val)):
        cells = "".join(f"{name},{wnid} 1 2 9 8 {wnid} 3 4 9 9 \n" for wnid, name in rows)
        files[f"LOC_{part}_solution.csv"] = "ImageId,PredictionString\n" + cells
    files |= {f"ILSVRC/Annotations/CLS-LOC/val/{name}.xml": voc(name, wnid) for wnid, name in val}
    files["LOC_synset_mapping.txt"] = "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n"
    files["ILSVRC/ImageSets/CLS-LOC/train_cls.txt"] = "".join(f"{w}/{name} {n}\n" for n, (w, name) in enumerate(names))
    return files | {"ILSVRC/ImageSets/CLS-LOC/val.txt": "".join(f"{name} {n}\n" for n, (_, name) in enumerate(val))}


def manifest(said: list[object], about: dict[str, object]) -> Files:
    """SageMaker's manifest of four images."""
    lines = [{"source-ref": f"s3://bucket/images/{n}.jpg", "job": said[n % 2], "job-metadata": about} for n in range(4)]
    return photos("images") | {"output.manifest": "".join(json.dumps(line) + "\n" for line in lines)}


@kin(Means("labels of SageMaker's manifest", counts={None: 4}, boxes=4))
def manifest_of_boxes() -> Files:
    boxes = [{"annotations": [{"class_id": k, "left": 1, "top": 2, "width": 8, "height": 6}]} for k in (0, 1)]
    return manifest(list(boxes), {"class-map": {"0": "ants", "1": "bees"}, "type": "groundtruth/object-detection"})


@kin(Means("labels of SageMaker's manifest", counts={None: 4}, given="output.manifest"))
def manifest_of_classes() -> Files:
    return manifest([0, 1], {"class-map": {"0": "ants", "1": "bees"}, "human-annotated": "yes"})


@kin(Means("labels of SageMaker's manifest", counts={None: 4}))
def manifest_of_several_classes() -> Files:
    return manifest([[0], [0, 1]], {"class-map": {"0": "ants", "1": "bees"}})


@kin(
    Means(
        "class folders in splits train, test", counts={"train": 8, "test": 4}, note="test.zip and train.zip are unpack"
    )
)
def an_archive_a_split() -> Files:
    return {"train.zip": packed(classes("train")), "test.zip": packed(classes("", 0, 2))}


def packed(files: Files) -> bytes:
    """A zip of files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return content.getvalue()


@kin(Means(refused="got images.zip and train.csv. Unpack it there, and both are read"))
def an_archive_beside_a_table() -> Files:
    return {"images.zip": b"PK", "train.csv": "image,label\n1.jpg,ants\n"}
