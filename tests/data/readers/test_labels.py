import doctest

import pyarrow as pa

from striate.data.readers import labels as module
from striate.data.readers.labels import Labels, labels_of


def several(labels: Labels) -> list[list[int]]:
    assert labels.several is not None
    found: list[list[int]] = labels.several.to_pylist()
    return found


def test_doctests_run() -> None:
    assert doctest.testmod(module) == (0, 1)


def test_one_label_a_row() -> None:
    found = labels_of(pa.array(["img10", " img9 ", "", "img10"]), "")
    assert found.names == ["img9", "img10"]
    assert found.one is not None
    assert found.one.tolist() == [1, 0, -1, 1]
    assert found.several is None


def test_several_labels_parted_by_a_separator() -> None:
    found = labels_of(pa.array(["b|a", "", "a| c"]), "|")
    assert (found.names, found.one) == (["a", "b", "c"], None)
    assert several(found) == [[1, 0], [], [0, 2]]


def test_lists_as_python_json_and_label_studio_write_them() -> None:
    found = labels_of(pa.array(["['ant', 'bee']", '["bee"]', ""]), "")
    assert (found.names, several(found)) == (["ant", "bee"], [[0, 1], [1], []])
    found = labels_of(pa.array(['{"choices": ["ant","bee"]}', "bee"]), "")
    assert (found.names, several(found)) == (["ant", "bee"], [[0, 1], [1]])
