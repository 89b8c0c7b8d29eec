"""Annotations that turn boxes, draw with brushes, number frames, or were made for images of another size."""

import json
from collections.abc import Mapping

from kin.make import Files, Means, coco, image, kin, photos, voc

Json = dict[str, object]
AROUND = Means("boxes, outlines and tags of CVAT", ("bees",), {None: 4}, boxes=4)
ALONE = "points, lines, brushes or bitmaps alone: export them"


def cvat(*shapes: str) -> Files:
    """Four images of CVAT with these shapes each."""
    images = "".join(
        f'<image id="{n}" name="{n}.jpg" width="24" height="16">{"".join(shapes)}</image>' for n in range(4)
    )
    return photos("images") | {"annotations.xml": f"<annotations>{images}</annotations>"}


@kin(AROUND)
def cvat_turned() -> Files:
    return cvat('<box label="bees" xtl="4" ytl="6" xbr="20" ybr="10" rotation="90.0"/>')


@kin(
    Means(
        "boxes, outlines and tags of CVAT", boxes=8, counts={None: 4}, note="brushes or bitmaps on them are not read: 4"
    )
)
def cvat_bitmaps() -> Files:
    bitmap = '<mask label="ants" rle="1, 2, 3" left="1" top="2" width="2" height="3"/>'
    return cvat(bitmap, '<polygon label="bees" points="1,1;9,1;9,9"/>')


def tasks(result: Json) -> Files:
    """Four tasks of Label Studio with one result each."""
    common = {"original_width": 24, "original_height": 16}
    content = [{"data": {"image": f"{n}.jpg"}, "annotations": [{"result": [common | result]}]} for n in range(4)]
    return photos("images") | {"export.json": json.dumps(content)}


@kin(Means("labels of Label Studio", ("ants",), {None: 4}, boxes=4))
def label_studio_turned() -> Files:
    box = {"x": 50, "y": 25, "width": 25, "height": 50, "rotation": 90, "rectanglelabels": ["ants"]}
    return tasks({"type": "rectanglelabels", "value": box})


@kin(Means(refused=ALONE))
def label_studio_brush() -> Files:
    return tasks({"type": "brushlabels", "value": {"format": "rle", "rle": [1], "brushlabels": ["ants"]}})


@kin(Means(refused=ALONE))
def labelme_points_and_lines() -> Files:
    shapes = [
        {"label": "eye", "points": [[1, 2]], "shape_type": "point"},
        {"label": "leg", "points": [[1, 2], [5, 5]], "shape_type": "line"},
    ]
    content = {"shapes": shapes, "imageHeight": 16, "imageWidth": 24, "imageData": None}
    return photos("images") | {f"images/{n}.json": json.dumps(content | {"imagePath": f"{n}.jpg"}) for n in range(4)}


def supervisely(*objects: Mapping[str, object]) -> Files:
    """Four images of Supervisely with these objects each."""
    content = json.dumps({"size": {"height": 16, "width": 24}, "tags": [], "objects": objects})
    return photos("ds/img") | {f"ds/ann/{n}.jpg.json": content for n in range(4)}


@kin(Means(refused=ALONE))
def supervisely_bitmaps() -> Files:
    return supervisely({"classTitle": "ants", "geometryType": "bitmap", "bitmap": {"origin": [2, 2], "data": "eJw="}})


@kin(Means("boxes and outlines of Supervisely", ("ants",), {None: 4}, boxes=4, masks=4))
def supervisely_holes() -> Files:
    square, hole = [[1, 1], [20, 1], [20, 14], [1, 14]], [[5, 5], [12, 5], [12, 10], [5, 10]]
    points = {"exterior": square, "interior": [hole]}
    return supervisely({"classTitle": "ants", "geometryType": "polygon", "points": points})


@kin(Means("boxes of MOT in 2 text files", ("Car", "Pedestrian"), {None: 6}, boxes=6, note="images without objects: 2"))
def mot() -> Files:
    """Two sequences; a line whose seventh number is 0 does not count."""
    found: Files = {f"train/MOT17-0{s}/img1/{n:06d}.jpg": image() for s in (2, 4) for n in range(1, 5)}
    for sequence, number in ((2, 1), (4, 3)):
        lines = "".join(f"{n},7,1,2,8,6,{int(n < 4)},{number},0.9\n" for n in range(1, 5))
        found[f"train/MOT17-0{sequence}/gt/gt.txt"] = lines
        found[f"train/MOT17-0{sequence}/det/det.txt"] = "1,-1,1,2,8,6,0.9\n"
        found[f"train/MOT17-0{sequence}/seqinfo.ini"] = "[Sequence]\nimDir=img1\n"
    return found


@kin(Means("COCO objects in lvis_v1_train.json", counts={"train": 4}, boxes=4))
def lvis() -> Files:
    names = [f"{n:012d}.jpg" for n in range(4)]
    content = json.loads(coco(names, [1, 2, 1, 2], {1: "ants", 2: "bees"}))
    for each in content["images"]:
        each["coco_url"] = "http://images.cocodataset.org/train2017/" + each.pop("file_name")
    return {f"train2017/{name}": image() for name in names} | {"lvis_v1_train.json": json.dumps(content)}


@kin(Means(refused="got a panoptic segmentation, which is not read: save instances"))
def panoptic() -> Files:
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(4)],
        "annotations": [{"image_id": n, "file_name": f"{n}.png", "segments_info": []} for n in range(4)],
        "categories": [{"id": 1, "name": "grass"}],
    }
    return photos("val2017") | {"panoptic_val2017.json": json.dumps(content)}


@kin(Means(refused="got captions, which are no classes"))
def captions() -> Files:
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(4)],
        "annotations": [{"id": n, "image_id": n, "caption": "an ant"} for n in range(4)],
    }
    return photos("images") | {"annotations/captions_train.json": json.dumps(content)}


@kin(Means(refused="got those of 48 x 32 pixels for images/0.jpg, which has 24 x 16"))
def coco_of_larger_images() -> Files:
    content = coco([f"{n}.jpg" for n in range(4)], [1, 2, 1, 2], {1: "ants", 2: "bees"})
    return photos("images") | {"labels.json": content.replace('"width": 24, "height": 16', '"width": 48, "height": 32')}


@kin(Means(refused="got those of 48 x 32 pixels for images/0.jpg, which has 24 x 16"))
def voc_of_larger_images() -> Files:
    larger = voc("", "ants").replace("<width>24</width><height>16<", "<width>48</width><height>32<")
    return photos("images") | {f"images/{n}.xml": larger for n in range(4)}


@kin(Means("Pascal VOC objects", ("ants",), {None: 4}, boxes=4))
def voc_of_no_size() -> Files:
    """A size that the boxes reach out of is none, and tells nothing."""
    small = voc("", "ants").replace("<width>24</width><height>16<", "<width>1</width><height>1<")
    return photos("images") | {f"images/{n}.xml": small for n in range(4)}


def yolo(line: str) -> Files:
    """Four images of YOLO with one object, in whose line `{}` is 0 or 1."""
    return photos("images") | {f"labels/{n}.txt": line.format(n % 2) for n in range(4)}


@kin(Means(refused="got larger numbers in 4 of 4, such as in labels/0.txt. Divide pixels by the image's size"))
def yolo_in_pixels() -> Files:
    return yolo("{} 1 2 9 8\n")


@kin(Means(refused="expected class numbers from 0, as YOLO counts; got 1 to 2 for 2 names"))
def yolo_from_one() -> Files:
    files = yolo("{} 0.5 0.5 0.25 0.5\n")
    labels = {
        name: str(text).replace("1 ", "2 ").replace("0 ", "1 ", 1) for name, text in files.items() if name[0] == "l"
    }
    return files | labels | {"classes.txt": "ants\nbees\n"}


@kin(Means("YOLO objects", counts={None: 4}, boxes=4))
def yolo_with_numbered_names() -> Files:
    return yolo("{} 0.5 0.5 0.25 0.5\n") | {"classes.txt": "0 ants\n1 bees\n"}
