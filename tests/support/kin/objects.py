"""Objects in files of annotations."""

import json

from kin.make import KIN, Files, Means, coco, image, kin, mask, photos, voc


@kin(Means("YOLO objects", ("ants", "bees"), {"train": 4, "val": 2}, boxes=6))
def yolo_by_kind() -> Files:
    label = "{} 0.5 0.5 0.5 0.5\n"
    labels: Files = {f"labels/train/{n}.txt": label.format(n % 2) for n in range(4)}
    labels |= {f"labels/val/{n}.txt": label.format(n % 2) for n in range(2)}
    yaml = "path: ../datasets/x\ntrain: images/train\nval: images/val\nnames:\n  0: ants\n  1: bees\n"
    return photos("images/train") | photos("images/val", 0, 2) | labels | {"data.yaml": yaml}


@kin(Means("YOLO objects", ("ants", "bees"), {None: 4}, boxes=4, note="images without objects: 1"))
def yolo_flat() -> Files:
    labels: Files = {f"labels/{n}.txt": f"{n % 2} 0.5 0.5 0.5 0.5\n" for n in range(4)}
    return photos("images", 0, 5) | labels | {"classes.txt": "ants\nbees\n", "notes.json": "{}"}


@kin(Means("YOLO objects", ("ants", "bees"), {"train": 4, "val": 2}, boxes=6))
def darknet() -> Files:
    found = photos("train") | photos("valid", 0, 2) | {"train/_darknet.labels": "ants\nbees\n"}
    found |= {f"train/{n}.txt": f"{n % 2} 0.5 0.5 0.5 0.5\n" for n in range(4)}
    return found | {f"valid/{n}.txt": f"{n % 2} 0.5 0.5 0.5 0.5\n" for n in range(2)}


@kin(Means("YOLO objects", ("ants", "bees"), {None: 4}, boxes=4, masks=4, mask_classes=("background", "ants", "bees")))
def yolo_outlines() -> Files:
    labels: Files = {f"labels/{n}.txt": f"{n % 2} 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n" for n in range(4)}
    return photos("images") | labels | {"data.yaml": "nc: 2\nnames: ['ants', \"bees\"]  # two\n"}


@kin(Means("Pascal VOC objects", ("ants", "bees"), {None: 4}, boxes=4))
def voc_annots() -> Files:
    return photos("images") | {f"annots/{n}.xml": voc(f"{n}.jpg", ("ants", "bees")[n % 2]) for n in range(4)}


@kin(Means("Pascal VOC objects", ("ants", "bees"), {"train": 4, "test": 2}, boxes=6))
def voc_in_splits() -> Files:
    found = photos("train/images") | photos("test/images", 0, 2)
    found |= {f"train/xmls/{n}.xml": voc(f"{n}.jpg", ("ants", "bees")[n % 2]) for n in range(4)}
    return found | {f"test/xmls/{n}.xml": voc(f"{n}.jpg", ("ants", "bees")[n % 2]) for n in range(2)}


@kin(Means("Pascal VOC objects", ("bird", "cat"), {"train": 2, "val": 2}, boxes=4, masks=4))
def voc_kit() -> Files:
    kit = "VOCdevkit/VOC2012"
    found = photos(f"{kit}/JPEGImages") | {f"{kit}/SegmentationClass/{n}.png": mask(mode="P") for n in range(4)}
    found |= {f"{kit}/Annotations/{n}.xml": voc(f"{n}.jpg", ("cat", "bird")[n % 2]) for n in range(4)}
    lists: Files = {"train": "0\n1\n", "val": "2\n3\n", "trainval": "0\n1\n2\n3\n", "cat_train": "0  1\n1 -1\n"}
    return found | {f"{kit}/ImageSets/Main/{name}.txt": text for name, text in lists.items()}


@kin(Means("COCO objects", ("ants", "bees"), {"train": 4, "val": 2}, boxes=6))
def coco_by_year() -> Files:
    names = {1: "ants", 3: "bees"}
    train, val = coco([f"{n}.jpg" for n in range(4)], [1, 3, 1, 3], names), coco(["4.jpg", "5.jpg"], [3, 1], names)
    files: Files = {"annotations/instances_train2017.json": train, "annotations/instances_val2017.json": val}
    return photos("train2017") | photos("val2017", 4, 6) | files


@kin(Means("COCO objects", ("ants", "bees"), {"train": 4, "val": 2}, boxes=6, masks=6))
def roboflow_coco() -> Files:
    names, other = {0: "insects", 1: "ants", 2: "bees"}, {0: "bees", 1: "insects", 2: "ants"}
    train = coco([f"{n}.jpg" for n in range(4)], [1, 2, 1, 2], names, outlined=True)
    val = coco(["0.jpg", "1.jpg"], [0, 2], other, outlined=True)
    files: Files = {
        "train/_annotations.coco.json": train,
        "valid/_annotations.coco.json": val,
        "README.roboflow.txt": "x",
    }
    return photos("train") | photos("valid", 0, 2) | files


@kin(Means("boxes in tables of the splits", ("ants", "bees"), {"train": 4, "val": 2}, boxes=6))
def roboflow_tensorflow() -> Files:
    head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    rows = [f"{n}.jpg,24,16,{('ants', 'bees')[n % 2]},1,2,9,8\n" for n in range(4)]
    files: Files = {"train/_annotations.csv": head + "".join(rows), "valid/_annotations.csv": head + "".join(rows[:2])}
    return photos("train") | photos("valid", 0, 2) | files


@kin(Means("boxes in bbox.csv", ("ants", "bees"), {None: 4}, boxes=4))
def boxes_of_sizes() -> Files:
    rows = "".join(f'{n},{("ants", "bees")[n % 2]},"[1.0, 2.0, 8.0, 6.0]"\n' for n in range(4))
    return photos("train") | {"bbox.csv": "image_id,class,bbox\n" + rows}


@kin(Means("boxes in open.csv", ("ants", "bees"), {None: 4}, boxes=4))
def open_images() -> Files:
    rows = "".join(f"{n},xclick,{('ants', 'bees')[n % 2]},1,0.25,0.75,0.25,0.75\n" for n in range(4))
    return photos("images") | {"open.csv": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n" + rows}


@kin(Means("boxes in annotations.csv (no header)", ("ants", "bees"), {None: 4}, boxes=4))
def retinanet() -> Files:
    return photos("images") | {
        "annotations.csv": "".join(f"images/{n}.jpg,1,2,9,8,{('ants', 'bees')[n % 2]}\n" for n in range(4))
    }


@kin(Means("boxes of CreateML", ("ants", "bees"), {None: 4}, boxes=4))
def createml() -> Files:
    at = {"x": 5, "y": 5, "width": 8, "height": 6}
    told = [
        {"image": f"{n}.jpg", "annotations": [{"label": ("ants", "bees")[n % 2], "coordinates": at}]} for n in range(4)
    ]
    return photos("") | {"_annotations.createml.json": json.dumps(told)}


@kin(Means("boxes and outlines of VIA", ("ants", "bees"), {None: 4}, boxes=4, masks=4))
def via() -> Files:
    outline = {"name": "polygon", "all_points_x": [1, 9, 9, 1], "all_points_y": [2, 2, 8, 8]}
    told = {
        f"{n}.jpg123": {"filename": f"{n}.jpg", "size": 123, "file_attributes": {}, "regions": [
            {"shape_attributes": outline, "region_attributes": {"kind": ("ants", "bees")[n % 2]}}]} for n in range(4)
    }  # fmt: skip
    return photos("images") | {"via_region_data.json": json.dumps(told)}


@kin(Means("boxes, outlines and tags of CVAT", ("ants", "bees"), {None: 4}, boxes=8, masks=4))
def cvat() -> Files:
    told = "".join(
        f'<image id="{n}" name="{n}.jpg" width="24" height="16"><box label="ants" xtl="1" ytl="2" xbr="9" ybr="8"/>'
        f'<polygon label="bees" points="1,2;20,2;20,14;1,14"/></image>' for n in range(4)
    )  # fmt: skip
    return photos("images") | {
        "annotations.xml": f'<?xml version="1.0"?><annotations><version>1.1</version>{told}</annotations>'
    }


@kin(Means("boxes, outlines and tags of CVAT", ("ants", "bees"), {None: 4}))
def cvat_tags() -> Files:
    told = "".join(f'<image id="{n}" name="{n}.jpg"><tag label="{("ants", "bees")[n % 2]}"/></image>' for n in range(4))
    return photos("images") | {"annotations.xml": f"<annotations>{told}</annotations>"}


@kin(Means("boxes and outlines of labelme", ("ants", "bees"), {None: 4}, boxes=4, masks=4))
def labelme_outlines() -> Files:
    files: Files = {}
    for n in range(4):
        shape = {"label": ("ants", "bees")[n % 2], "points": [[1, 2], [9, 2], [9, 8], [1, 8]], "shape_type": "polygon"}
        files[f"json/{n}.json"] = json.dumps(
            {
                "version": "5",
                "shapes": [shape],
                "imagePath": f"..\\images\\{n}.jpg",
                "imageHeight": 16,
                "imageWidth": 24,
            }
        )
    return photos("images") | files


@kin(Means("boxes and outlines of Supervisely", ("ants", "bees"), {None: 4}, boxes=4))
def supervisely() -> Files:
    files: Files = {"meta.json": '{"classes": []}'}
    for n in range(4):
        each = {
            "classTitle": ("ants", "bees")[n % 2],
            "geometryType": "rectangle",
            "points": {"exterior": [[1, 2], [9, 8]]},
        }
        files[f"ds/ann/{n}.jpg.json"] = json.dumps({"size": {"height": 16, "width": 24}, "tags": [], "objects": [each]})
    return photos("ds/img") | files


@kin(Means("labels of Label Studio", ("ants", "bees"), {None: 4}, boxes=4))
def label_studio_boxes() -> Files:
    tasks = []
    for n in range(4):
        value = {
            "x": 10,
            "y": 10,
            "width": 50,
            "height": 50,
            "rotation": 0,
            "rectanglelabels": [("ants", "bees")[n % 2]],
        }
        result = {"type": "rectanglelabels", "value": value, "original_width": 24, "original_height": 16}
        tasks.append(
            {"id": n, "data": {"img": f"/data/upload/3/1a2b3c4d-{n}.jpg"}, "annotations": [{"result": [result]}]}
        )
    return photos("images") | {"project-1.json": json.dumps(tasks)}


@kin(Means("labels in min.json", ("ants", "bees"), {None: 4}))
def label_studio_min() -> Files:
    rows = [{"image": f"/data/upload/1/{n}.jpg", "id": n, "choice": ("ants", "bees")[n % 2]} for n in range(4)]
    return photos("images") | {"min.json": json.dumps(rows)}


@kin(Means("KITTI objects", ("Car", "Van"), {"train": 4}, boxes=4))
def kitti() -> Files:
    nobody = "DontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1 -1 -1 -1\n"
    files: Files = {
        f"training/label_2/{n}.txt": f"{('Car', 'Van')[n % 2]} 0.00 0 -1.5 1 2 9 8 1 1 1 1 1 1 1\n{nobody}"
        for n in range(4)
    }
    return photos("training/image_2") | files


KIN["kitti"] = kitti, Means("KITTI objects", ("Car", "Van"), {None: 4}, boxes=4)


@kin(Means("YOLO objects", ("ants", "bees"), {"train": 3, "val": 1}, boxes=4, note="splits by train.txt and val.txt"))
def yolo_with_lists_of_splits() -> Files:
    labels: Files = {f"labels/{n}.txt": f"{n % 2} 0.5 0.5 0.5 0.5\n" for n in range(4)}
    lists: Files = {"train.txt": "./images/0.jpg\n./images/1.jpg\n./images/2.jpg\n", "val.txt": "./images/3.jpg\n"}
    return photos("images") | labels | lists | {"data.yaml": "train: train.txt\nval: val.txt\nnames: [ants, bees]\n"}


@kin(Means("COCO objects", ("ants", "bees"), {"train": 4, "val": 2}, boxes=6))
def coco_of_all_splits() -> Files:
    names = [*(f"train/{n}.jpg" for n in range(4)), "val/4.jpg", "val/5.jpg"]
    found = photos("images/train") | photos("images/val", 4, 6)
    return found | {"annotations/instances.json": coco(names, [1, 2] * 3, {1: "ants", 2: "bees"})}


@kin(Means("boxes in tables of the splits", ("ants", "bees"), {"train": 4, "val": 2}, boxes=6))
def roboflow_retinanet() -> Files:
    rows = [f"{n}.jpg,1,2,9,8,{('ants', 'bees')[n % 2]}\n" for n in range(4)]
    files: Files = {"train/_annotations.csv": "".join(rows), "valid/_annotations.csv": "".join(rows[:2])}
    files |= {f"{part}/_classes.csv": "ants,0\nbees,1\n" for part in ("train", "valid")}
    return photos("train") | photos("valid", 0, 2) | files


def roboflow_keras() -> Files:
    rows = "".join(f"{n}.jpg 1,2,9,8,{n % 2}\n" for n in range(4))
    return photos("train") | {"train/_annotations.txt": rows, "train/_classes.txt": "ants\nbees\n"}


for _given in ("", "train/_annotations.txt"):
    KIN[f"roboflow_keras{'_given' * bool(_given)}"] = (
        roboflow_keras,
        Means("boxes of Keras' YOLO in", counts={None: 4}, boxes=4, note="_classes.txt", given=_given),
    )


@kin(Means("boxes of Keras' YOLO in 2 text files", ("0", "1"), {"train": 4, "val": 2}, boxes=7))
def keras_yolo_in_splits() -> Files:
    rows = [f"images/{n}.jpg 1,2,9,8,{n % 2}{' 3,4,9,9,1' * (n == 0)}\n" for n in range(6)]
    return photos("images", 0, 6) | {"train.txt": "".join(rows[:4]), "val.txt": "".join(rows[4:])}


@kin(Means("boxes of BDD100K in 2 JSON files of labels", ("car", "rider"), {"train": 4, "val": 2}, boxes=6))
def bdd100k() -> Files:
    def told(name: str, category: str) -> dict[str, object]:
        box = {"id": 1, "category": category, "box2d": {"x1": 1.5, "y1": 2, "x2": 9, "y2": 8}}
        lane = {"id": 2, "category": "lane", "poly2d": [{"vertices": [[1, 2], [3, 4]], "closed": False}]}
        return {"name": name, "attributes": {"weather": "clear"}, "labels": [box, lane]}

    train = [told(f"{n}.jpg", ("car", "rider")[n % 2]) for n in range(4)]
    val = [told(f"{n}.jpg", ("car", "rider")[n % 2]) for n in (4, 5)]
    files: Files = {"labels/det_train.json": json.dumps(train), "labels/det_val.json": json.dumps(val)}
    return photos("images/100k/train") | photos("images/100k/val", 4, 6) | files


@kin(Means("boxes of VisDrone in 4 text files", ("car", "pedestrian"), boxes=4, counts={None: 4}, note="left out, sh"))
def visdrone() -> Files:
    return photos("images") | {
        f"annotations/{n}.txt": f"1,2,9,8,1,{(1, 4)[n % 2]},0,0\n2,2,5,5,0,0,0,0\n" for n in range(4)
    }


@kin(Means("boxes of DOTA in 4 text files", ("plane", "ship"), counts={"train": 4}, boxes=4))
def dota() -> Files:
    head = "imagesource:GoogleEarth\ngsd:0.14\n"
    corners = "1.0 2.0 9.0 2.0 9.0 8.0 1.0 8.0"
    rows = {f"train/labelTxt/{n}.txt": f"{head}{corners} {('plane', 'ship')[n % 2]} 0\n" for n in range(4)}
    return photos("train/images") | rows


KIN["dota"] = dota, Means("boxes of DOTA in 4 text files", ("plane", "ship"), counts={None: 4}, boxes=4)


@kin(Means("words of ICDAR in 4 text files", ("word",), {None: 4}, boxes=4))
def icdar() -> Files:
    images: Files = {f"images/img_{n}.jpg": image() for n in range(4)}
    row = "1,2,9,2,9,8,1,8,Joint, 7\n3,4,8,4,8,9,3,9,###\n"
    return images | {f"gt/gt_img_{n}.txt": row for n in range(4)}


@kin(Means("boxes of WIDER FACE in faces.txt", ("object",), {None: 3}, boxes=4))
def wider() -> Files:
    rows = "0.jpg\n2\n1 2 8 6 0 0 0 0 0 0\n3 2 8 6 0 0 0 0 0 0\n1.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"
    rest = "".join(f"{n}.jpg\n1\n1 2 8 6 0 0 0 0 0 0\n" for n in (2, 3))
    return photos("images") | {"faces.txt": rows + rest}


@kin(Means("boxes of CrowdHuman in", ("person",), {None: 4}, boxes=4))
def crowd_human() -> Files:
    rows = [{"ID": f"{n}", "gtboxes": [{"tag": "person", "fbox": [1, 2, 8, 6]}]} for n in range(4)]
    return photos("Images") | {"annotation_train.odgt": "".join(json.dumps(row) + "\n" for row in rows)}


@kin(Means("Pascal VOC objects", ("ants",), {None: 4}, boxes=4))
def labelme_of_the_web() -> Files:
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((1, 2), (9, 2), (9, 8)))
    told = f"<object><name>ants</name><deleted>0</deleted><polygon>{corners}</polygon></object>"
    gone = "<object><name>bees</name><deleted>1</deleted><polygon/></object>"
    return photos("Images/set") | {
        f"Annotations/set/{n}.xml": f"<annotation><filename>{n}.jpg</filename>{told}{gone}</annotation>"
        for n in range(4)
    }


@kin(Means(refused="is a CSV of VIA, which is not read; export its JSON"))
def via_csv() -> Files:
    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    rows = "".join(f'{n}.jpg,9,"{{}}",1,0,"{{""name"":""rect""}}","{{""kind"":""ants""}}"\n' for n in range(4))
    return photos("images") | {"via_export_csv.csv": head + rows}


@kin(Means("KITTI objects", ("ants", "bees"), {None: 4}, boxes=4))
def kitti_of_cvat() -> Files:
    rows = {f"default/label_2/{n}.txt": f"{('ants', 'bees')[n % 2]} 0 0 0 1 2 9 8 0 0 0 0 0 0 0\n" for n in range(4)}
    colours: Files = {"label_colors.txt": "0 0 0 background\n1 2 3 ants\n"}
    return photos("default/image_2", ending=".png") | rows | colours


@kin(Means("COCO objects in train.json and val.json", ("ants", "bees"), {"train": 4, "val": 2}, note="of whole images"))
def categories_without_boxes() -> Files:
    """As iNaturalist has them, in folders that are numbered."""

    def told(numbers: range) -> str:
        images = [{"id": n, "file_name": f"images/{n % 2}/{n}.jpg"} for n in numbers]
        labels = [{"id": n, "image_id": n, "category_id": n % 2} for n in numbers]
        names = [{"id": 0, "name": "ants"}, {"id": 1, "name": "bees"}]
        return json.dumps({"images": images, "annotations": labels, "categories": names})

    files: Files = {f"images/{n % 2}/{n}.jpg": image() for n in range(6)}
    return files | {"train.json": told(range(4)), "val.json": told(range(4, 6))}
