from pathlib import Path

import pytest

from striate.errors import WeightsError
from striate.weights import class_names, imagenet_classes, names_digest, wordnet_ids
from striate.weights.names import IMAGENET_SHA256, names_of


def write(folder: Path, text: str) -> Path:
    path = folder / "names.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_name_a_line(tmp_path: Path) -> None:
    assert class_names(write(tmp_path, "cat, tabby\n\nDackel über\n")) == ("cat, tabby", "Dackel über")


def test_the_last_column_is_the_name_and_the_one_before_tells_equal_names_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "0\tn1\tcrane\n1\tn2\ttench\n2\tn3\tcrane\n")
    assert class_names(path) == ("crane (n1)", "tench", "crane (n3)")


def test_the_digest_depends_on_the_order() -> None:
    assert names_digest(("a",)) == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # sha256sum of a
    assert names_digest(("a", "b")) != names_digest(("b", "a"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected the names of classes, a line each; got none."),
        ("0\ta\n" + "9" * 9000 + "\tb\n", "expected the classes in order; got 999999999… (8,987 more characters)"),
        ("0\ta\n2\tb\n", "expected the classes in order; got 2 where 1 should be."),
        ("a\nb\na\n", "expected each class under a name of its own; got twice a."),
    ],
)
def test_what_is_no_list_of_names(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(WeightsError) as caught:
        class_names(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="expected the names of classes as text in UTF-8"):
        class_names(path)
    with pytest.raises(WeightsError, match="expected the names of classes as text in UTF-8"):
        class_names(tmp_path / "none.txt")


def test_imagenets_classes() -> None:
    names, ids = imagenet_classes(), wordnet_ids()
    assert len(names) == len(set(names)) == len(ids) == len(set(ids)) == 1000
    assert (names[0], ids[0]) == ("tench, Tinca tinca", "n01440764")
    assert (names[134], names[517]) == ("crane (n02012849)", "crane (n03126707)")
    assert (names[999], ids[999]) == ("toilet tissue, toilet paper, bathroom tissue", "n15075141")
    assert list(ids) == sorted(ids)
    assert names_of(IMAGENET_SHA256) == names
    assert names_of("") == ()


def test_imagenets_classes_in_another_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.weights.names.class_names", lambda _: ("goldfish", "tench"))
    imagenet_classes.cache_clear()
    with pytest.raises(WeightsError, match=r"expected ImageNet's class names; got another list\. Try to install"):
        imagenet_classes()
    imagenet_classes.cache_clear()


def test_characters_that_end_a_line_elsewhere_do_not_end_one_here(tmp_path: Path) -> None:
    assert class_names(write(tmp_path, "a\u2028b\r\nc\x0cd\n")) == ("a\u2028b", "c\x0cd")
