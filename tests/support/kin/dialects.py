"""Tables as programs and services export them, and what lies beside class folders."""

import json

from kin.make import KIN, Files, Means, image, kin, photos

AB = ("ants", "bees")


def rows(cells: str, count: int = 8) -> str:
    """Lines of a table, in which {n} is the image's number, {k} its class's and {c} its name."""
    return "".join(cells.format(n=n, k=n % 2, c=AB[n % 2]) + "\n" for n in range(count))


def of_years() -> Files:
    return {
        f"{year}/{split}/{name}/{n}.jpg": image()
        for year in ("2021", "2022") for split in ("train", "val") for name in AB for n in range(2)
    }  # fmt: skip


KIN["splits_in_years"] = of_years, Means(refused="class folders one level deeper in splits train, val")
KIN["splits_in_years_deeper"] = (
    of_years, Means("class folders one level deeper", counts={"train": 8, "val": 8}, layout_given="subfolders")
)  # fmt: skip


@kin(Means(refused="no column of images.csv is known to hold labels (id and path)"))
def ids_in_two_tables() -> Files:
    tables: Files = {
        "images.csv": "id,path\n" + rows("1{n},images/{n}.jpg"),
        "labels.csv": "id,label\n" + rows("1{n},{c}"),
    }
    return photos("images", 0, 8) | tables


@kin(
    Means(refused="l.csv says something else of images whose names several folders have: write the folder before each")
)
def names_in_two_folders() -> Files:
    return photos("left", 0, 8) | photos("right", 0, 8) | {"l.csv": "file,label\n" + rows("{n}.jpg,{c}")}


@kin(Means("class folders", note="not read, because outside the class folders: l.csv"))
def names_in_two_folders_of_their_classes() -> Files:
    lines = "".join(f"{n}.jpg,{name}\n" for name in AB for n in range(4))
    return photos("ants") | photos("bees") | {"l.csv": "file,label\n" + lines}


@kin(Means("labels in l.csv", note="names of classes by categories.csv"))
def categories_in_a_table() -> Files:
    names = "category_id,name\n0,ants\n1,bees\n"
    return photos("images", 0, 8) | {"l.csv": "file,category_id\n" + rows("{n}.jpg,{k}"), "categories.csv": names}


@kin(Means("labels in l.csv", ("1", "2"), note="classes.txt is not read: its names may count from 0 or from 1"))
def numbers_from_zero_or_one() -> Files:
    lines = rows("{n}.jpg,{k}").replace(",1\n", ",2\n").replace(",0\n", ",1\n")
    return photos("images", 0, 8) | {"l.csv": "file,label\n" + lines, "classes.txt": "ants\nbees\nwasps\n"}


@kin(Means(refused="expected labels in `label`; got objects in JSON, such as"))
def label_studio_csv_of_boxes() -> Files:
    box = json.dumps([{"x": 10, "y": 10, "width": 50, "height": 50, "rectanglelabels": ["ants"]}]).replace('"', '""')
    lines = "".join(f'/data/upload/1/0a1b2c3d-{n}.jpg,{n},"{box}"\n' for n in range(4))
    return photos("images") | {"export.csv": "image,id,label\n" + lines}


@kin(Means("a list of images and labels: train.lst", note="names of classes by synset.txt"))
def mxnet_list() -> Files:
    return photos("images", 0, 8) | {"train.lst": rows("{n}\t{k}\timages/{n}.jpg"), "synset.txt": "ants\nbees\n"}


@kin(Means("boxes in b.csv (no header)", counts={None: 4}, boxes=4))
def boxes_behind_their_class() -> Files:
    return photos("images") | {"b.csv": rows("{c},{n}.jpg,1,2,9,8", 4)}


@kin(Means("labels in l.csv"))
def addresses_with_spaces() -> Files:
    images: Files = {f"images/my photo {n}.jpg": image() for n in range(8)}
    return images | {"l.csv": "url,label\n" + rows("https://host.example/data/images/my%20photo%20{n}.jpg,{c}")}


@kin(Means(refused="expected x, y, width and height in `bbox`; got corners: as sizes, 2 of 4 boxes would reach out"))
def corners_in_a_column_of_boxes() -> Files:
    lines = "".join(f'{n}.jpg,"[{4 * n}, 2, {4 * n + 10}, 14]",ants\n' for n in range(4))
    return photos("images") | {"b.csv": "file,bbox,label\n" + lines.replace("[0, 2, 10, 14]", "[0, 1, 10, 9]")}


@kin(Means("boxes in b.csv", ("ants",), {None: 4}, boxes=4))
def sizes_in_a_column_of_boxes() -> Files:
    """One of them is too large, as happens."""
    lines = "".join(f'{n}.jpg,"[4, 2, {10 + 20 * (n == 3)}, 9]",ants\n' for n in range(4))
    return photos("images") | {"b.csv": "file,bbox,label\n" + lines.replace("[4, 2, 10, 9]", "[14, 5, 8, 4]", 1)}


def automl(cells: str) -> Files:
    lines = rows(cells).replace("SPLIT", "TRAIN", 4).replace("SPLIT", "VALIDATION", 2).replace("SPLIT", "TEST")
    return photos("images", 0, 8) | {"all.csv": lines}


SPLITS: dict[str | None, int] = {"train": 4, "val": 2, "test": 2}
KIN["automl"] = (
    lambda: automl("SPLIT,gs://bucket/images/{n}.jpg,{c}"),
    Means("labels in all.csv (no header), paths `column 2`, labels `column 3`, splits `column 1`", counts=SPLITS),
)
KIN["automl_boxes"] = (
    lambda: automl("SPLIT,gs://bucket/images/{n}.jpg,{c},0.1,0.1,,,0.5,0.5,,"),
    Means("boxes in all.csv (no header)", counts=SPLITS, boxes=8),
)


OF_FILE = {f"{n}.jpg": AB[n % 2] for n in range(8)}
OF_CLASS = {name: [file for file, of_file in OF_FILE.items() if of_file == name] for name in AB}
NUMBERS = {file: AB.index(name) for file, name in OF_FILE.items()}
for _name, _content, _means in (
    ("files_of_classes", OF_CLASS, Means("labels in labels.json")),
    ("splits", {"train": OF_FILE, "val": []}, Means("labels in labels.json", counts={"train": 8})),
    (
        "wrapped",
        {"v": 1, "data": [{"image": f, "label": c} for f, c in OF_FILE.items()]},
        Means("labels in labels.json"),
    ),
    ("lists", {"images": list(OF_FILE), "labels": list(OF_FILE.values())}, Means("labels in labels.json")),
    ("pairs", list(OF_FILE.items()), Means("labels in labels.json")),
    ("pairs_under_labels", {"labels": list(NUMBERS.items())}, Means("labels in labels.json", ("0", "1"))),
    ("numbers_of_files", NUMBERS, Means("labels in labels.json", ("0", "1"))),
    ("labels_of_files", {file: [name] for file, name in OF_FILE.items()}, Means("labels in labels.json")),
):
    KIN[f"json_{_name}"] = (
        lambda content=_content: photos("images", 0, 8) | {"labels.json": json.dumps(content)},  # type: ignore[misc]
        _means,
    )


@kin(Means("labels in data.jsonl"))
def json_lines_of_lists() -> Files:
    lines = (
        json.dumps({"image": file, "labels": [name, *(["ants"] * (file > "5"))]}) for file, name in OF_FILE.items()
    )
    return photos("images", 0, 8) | {"data.jsonl": "\n".join(lines)}
