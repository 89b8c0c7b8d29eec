"""Files of annotations as other tools write them, each as records: an image, its shapes and its labels."""

from pathlib import Path

from striate.data.formats import (
    bdd,
    box_lists,
    createml,
    cvat,
    label_studio,
    labelme,
    manifest,
    mot,
    odgt,
    supervisely,
    text_lines,
    via,
)
from striate.data.formats.record import Record, Shape

PARSERS = {
    "bdd": bdd.parse,
    "keras-yolo": box_lists.keras,
    "wider": box_lists.wider,
    "odgt": odgt.parse,
    "visdrone": text_lines.visdrone,
    "dota": text_lines.dota,
    "icdar": text_lines.icdar,
    "createml": createml.parse,
    "cvat": cvat.parse,
    "label-studio": label_studio.parse,
    "labelme": labelme.parse,
    "manifest": manifest.parse,
    "mot": mot.parse,
    "supervisely": supervisely.parse,
    "via": via.parse,
}

__all__ = ["PARSERS", "Record", "Shape", "records_of"]


def records_of(path: Path, kind: str) -> list[Record]:
    """The records of a file, in its order.

    Raises:
        DataError: if the file is not one of that kind.
    """
    return PARSERS[kind](path)
