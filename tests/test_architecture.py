"""The picture of the house is that of the code, and its page names what there is."""

import pkgutil
import re
from pathlib import Path
from xml.etree import ElementTree

import architecture
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_picture_is_current() -> None:
    if architecture.PICTURE.read_text(encoding="utf-8") != architecture.picture():
        pytest.fail("docs/images/architecture.svg: expected the picture of this code. Try: python docs/architecture.py")


def test_every_room_stands_above_those_that_it_imports() -> None:
    imported = architecture.imports()
    floor_of = architecture.floors(imported)
    assert {"cli", "nets", "errors"} < imported.keys()
    assert all(floor_of[name] > floor_of[other] for name in imported for other in imported[name])


def test_a_room_is_built_on_what_nothing_else_leads_to() -> None:
    imported = {"a": {"b", "c", "d", "errors"}, "b": {"c"}, "c": set(), "d": set(), "errors": set()}
    assert architecture.built_on("a", imported) == ["b", "d"]
    assert architecture.floors(imported) == {"a": 2, "b": 1, "c": 0, "d": 0, "errors": 0}


def test_the_picture_shows_every_room_once_within_its_borders() -> None:
    tree = ElementTree.fromstring(architecture.picture())
    space = "{http://www.w3.org/2000/svg}"
    assert sorted(str(text.text) for text in tree.iter(f"{space}text") if text.get("class") == "name") == sorted(
        architecture.rooms()
    )
    _, _, width, height = map(float, str(tree.get("viewBox")).split())
    boxes = [rect for rect in tree.iter(f"{space}rect") if rect.get("rx")]
    for box in boxes:
        x, y = float(str(box.get("x"))), float(str(box.get("y")))
        assert 0 < x < x + architecture.WIDTH < width
        assert 0 < y < y + architecture.HEIGHT < height
    assert len(boxes) == len({(box.get("x"), box.get("y")) for box in boxes}) == len(architecture.rooms())


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(striate\.[\w.]+)`", PAGE))))
def test_what_the_page_names_is_there(name: str) -> None:
    assert pkgutil.resolve_name(name) is not None  # which raises where there is none


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:src|tests|docs)(?:/[\w.]+)*)`", PAGE))))
def test_the_files_that_the_page_names_are_there(path: str) -> None:
    assert (ROOT / path).exists()
