"""What `--layout` may be: the layouts that data is read as."""

from typing import Literal

LayoutName = Literal[
    "auto",
    "folders",
    "subfolders",
    "names",
    "images",
    "table",
    "lists",
    "boxes",
    "masks",
    "runs",
    "coco",
    "voc",
    "yolo",
    "kitti",
    "labelme",
    "label-studio",
    "cvat",
    "via",
    "createml",
    "supervisely",
    "parquet",
    "idx",
    "arrays",
]
