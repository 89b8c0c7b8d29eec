import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from striate.data.coco import stored_values
from striate.errors import UsageError
from striate.tasks import Prediction
from striate.tasks.classify import Classify
from striate.tasks.files import coco, drawn, mask_image, overlaid, palette, require_kind, voc_annotation
from striate.tasks.locate import Locate
from striate.tasks.located import Located
from striate.tasks.segment import Segment, Segmented

NAMES = ("background", "cat", "dog")
FOUND = Located("photos/a.jpg", {"dog": 0.9, "cat": 0.1}, ("dog",), box=(10.2, 20.0, 110.6, 70.0), size=(200, 100))
NOTHING = Located("b.jpg", {"no object": 0.8, "dog": 0.2}, ("no object",), size=(50, 40))
UNREAD = Located("c.jpg", {}, error="empty")
MASK = np.array([[0, 0, 2, 2], [1, 0, 0, 2], [1, 1, 0, 0]], np.uint8)
PIXELS = Segmented("m.jpg", {"background": 5 / 12, "cat": 0.25, "dog": 0.25}, ("background",), mask=MASK)


def test_the_palette_is_that_of_pascal_voc() -> None:
    assert palette(5).tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert palette(256)[[20, 255]].tolist() == [[0, 64, 128], [224, 224, 192]]
    assert len(np.unique(palette(256), axis=0)) == 256


def test_a_mask_is_an_image_of_class_numbers_with_colours(tmp_path: Path) -> None:
    mask_image(PIXELS).save(tmp_path / "m.png")
    again = Image.open(tmp_path / "m.png")
    assert again.mode == "P"
    assert np.array_equal(np.asarray(again), MASK)
    assert again.convert("RGB").getpixel((3, 0)) == (0, 128, 0)
    with pytest.raises(ValueError, match="expected one with a mask"):
        mask_image(FOUND)


def test_an_annotation_of_pascal_voc() -> None:
    root = ElementTree.fromstring(voc_annotation(FOUND))
    assert root.findtext("filename") == "a.jpg"
    assert [root.findtext(f"size/{name}") for name in ("width", "height", "depth")] == ["200", "100", "3"]
    assert root.findtext("object/name") == "dog"
    assert [root.findtext(f"object/bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")] == [
        "10",
        "20",
        "111",
        "70",
    ]
    assert ElementTree.fromstring(voc_annotation(NOTHING)).find("object") is None
    with pytest.raises(ValueError, match="expected one of an object"):
        voc_annotation(PIXELS)


def test_boxes_as_coco() -> None:
    found = coco([FOUND, UNREAD, NOTHING], ("cat", "dog", "no object"))
    assert [(image["file_name"], image["width"], image["height"]) for image in found["images"]] == [
        ("photos/a.jpg", 200, 100),
        ("b.jpg", 50, 40),
    ]
    [annotation] = found["annotations"]
    assert (annotation["image_id"], annotation["category_id"], annotation["score"]) == (1, 2, 0.9)
    assert annotation["bbox"] == pytest.approx([10.2, 20, 100.4, 50])
    assert annotation["area"] == pytest.approx(100.4 * 50)
    assert found["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def test_a_class_that_has_the_name_of_nothing_is_a_category_where_an_object_is_of_it() -> None:
    named = Located("a.jpg", {"background": 0.9, "dog": 0.1}, ("background",), box=(1, 2, 11, 7), size=(20, 10))
    found = coco([named], ("background", "dog"))
    assert [category["name"] for category in found["categories"]] == ["background", "dog"]


def test_masks_as_coco_are_read_back(tmp_path: Path) -> None:
    found = coco([PIXELS], NAMES)
    assert [annotation["category_id"] for annotation in found["annotations"]] == [2, 3]
    assert found["categories"] == [{"id": 2, "name": "cat"}, {"id": 3, "name": "dog"}]
    for annotation in found["annotations"]:
        assert annotation["area"] == 3
    (tmp_path / "masks.json").write_text(json.dumps(found))
    values = stored_values(tmp_path / "masks.json", 1)
    assert not values[MASK == 0].any()
    cat, dog = (set(values[number == MASK].tolist()) for number in (1, 2))
    assert len(cat) == len(dog) == 1  # by names, which the reader makes numbers of
    assert cat != dog


def test_what_was_found_is_drawn_on_the_image() -> None:
    image = Image.new("RGB", (100, 50), (90, 90, 90))  # half the original's size
    shown = np.asarray(drawn(FOUND, image, ("cat", "dog")))
    yellow = (shown == (255, 220, 0)).all(axis=-1)
    assert yellow[20, 5]
    assert yellow[34, 55]
    assert not yellow[45:, :].any()
    overlay = np.asarray(overlaid(Image.new("RGB", (8, 6), (100, 100, 100)), MASK, 3))
    assert overlay[0, 0].tolist() == [100, 100, 100]
    assert overlay[0, 7].tolist() == [50, 114, 50]
    named = np.asarray(drawn(PIXELS, image, NAMES))
    assert named.shape == (50, 100, 3)
    assert ((named.max(axis=-1) > 200) & (named.min(axis=-1) < 60)).any()  # a legend that can be read
    assert not np.array_equal(
        np.asarray(drawn(Prediction("d", {"cat": 1.0}, ("cat",)), image, NAMES)), np.asarray(image)
    )


def test_a_probability_is_written_where_there_are_several_classes() -> None:
    image, found = Image.new("RGB", (300, 150)), replace(FOUND, probabilities={"dog": 1.0})
    alone, among = (np.asarray(drawn(found, image, names)) for names in (("dog",), ("cat", "dog")))
    bare = np.asarray(drawn(found, image, ("dog",), written=False))
    inked = [int((np.asarray(shown) != bare).any(axis=-1).sum()) for shown in (alone, among)]
    assert 0 < inked[0] < inked[1]


@pytest.mark.parametrize("at", [(0, 0), (0, 60), (180, 0), (180, 85), (90, 40)])
def test_the_name_of_a_box_lies_within_the_image_wherever_the_box_is(at: tuple[int, int]) -> None:
    """As many pixels are written as where there is room on all sides."""
    image, (x, y) = Image.new("RGB", (200, 100), (90, 90, 90)), at

    def inked(box: tuple[int, int, int, int]) -> int:
        found = replace(FOUND, box=box)
        bare, named = (np.asarray(drawn(found, image, NAMES, written=written)) for written in (False, True))
        return int((bare != named).any(axis=-1).sum())

    edge = 30  # of what the box's own lines cover
    assert abs(inked((x, y, x + 18, y + 12)) - inked((60, 50, 78, 62))) <= edge


@pytest.mark.parametrize(
    ("kind", "task", "fitting"),
    [
        ("coco", Classify(("a", "b")), "csv, jsonl, parquet"),
        ("png", Locate(("a", "b")), "csv, jsonl, parquet, coco, voc"),
        ("voc", Segment(("a", "b")), "csv, jsonl, parquet, coco, png"),
    ],
)
def test_files_that_a_task_cannot_fill_are_refused(kind: str, task: Classify | Locate | Segment, fitting: str) -> None:
    with pytest.raises(UsageError) as caught:
        require_kind(kind, task)
    assert str(caught.value) == f"`--format`: expected {fitting} of the task {task.name}; got {kind}."
    require_kind("csv", task)
