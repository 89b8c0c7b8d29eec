import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data.paths import SafePaths, file_of, to_name, to_text, to_texts

OUT = "its path leads out of the data's folder"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, folders, and links that stay and that lead out."""
    top = tmp_path_factory.mktemp("within")
    (top / "out").mkdir()
    (top / "out/a").touch()
    root = top / "data"
    (root / "a/b").mkdir(parents=True)
    for name in ("c", "a/c", "a/b/c"):
        (root / name).touch()
    (root / "a/out").symlink_to(top / "out")
    (root / "a/in").symlink_to(root / "a/b")
    (root / "a/b/file").symlink_to(top / "out/a")
    (root / "a/b/back").symlink_to(root / "c")
    (root / "a/b/loop").symlink_to(root / "a/b/loop")
    return root


names = st.sampled_from(
    ["a", "b", "c", "in", "out", "file", "back", "loop", "..", ".", "", "x#1", "a.parquet#1", "d\\e"]
)
paths = st.lists(names, max_size=5).map("/".join)


@given(path=paths)
def test_a_path_is_refused_exactly_if_it_leads_out(path: str, root: Path) -> None:
    """Beside the plain way: resolve each path, as the file system would."""
    file = path.rpartition("#")[0] if path.endswith(".parquet#1") else path
    try:
        expected = None if (root / file).resolve().is_relative_to(root.resolve()) else OUT
    except (OSError, RuntimeError) as error:
        expected = f"its path cannot be followed: {error}"
    found = SafePaths(root)(path)
    if not path:
        assert found == "no path is given"
    elif expected is None or OUT in (found, expected):
        assert found == expected
    else:
        assert found is not None
        assert found.startswith("its path cannot be followed: ")


@given(many=st.lists(st.one_of(paths, st.text(max_size=8), paths.map("/tmp/{}".format)), max_size=12))
def test_many_paths_have_the_reasons_of_each(many: list[str], root: Path) -> None:
    within = SafePaths(root)
    assert within.reasons(pa.array(many, pa.string())).to_pylist() == [SafePaths(root)(path) for path in many]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("c", None),
        ("a/b/back", None),
        ("a/in/c", None),
        ("a/in/file", OUT),
        ("a/out/a", OUT),
        ("a/b/file", OUT),
        ("..", OUT),
        ("/c", OUT),
        ("a/../../data/c", None),
        ("a/../../out/a", OUT),
        ("none/c", None),
        ("c/none", None),
        ("", "no path is given"),
    ],
)
def test_by_hand(path: str, reason: str | None, root: Path) -> None:
    assert SafePaths(root)(path) == reason
    assert SafePaths(root).reasons(pa.array([path])).to_pylist() == [reason]


def test_an_absolute_path_that_stays_is_fine(root: Path) -> None:
    assert SafePaths(root)(str(root / "a/c")) is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "dark").mkdir()
    (tmp_path / "dark/link").symlink_to("/")
    (tmp_path / "dark").chmod(0o311)
    reason = SafePaths(tmp_path)("dark/link")
    (tmp_path / "dark").chmod(0o755)
    assert reason is not None
    assert reason.startswith("its path cannot be followed: ")


# Names that are not UTF-8 -----------------------------------------------------------------------------------------


@given(st.binary(max_size=30).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_any_name_of_a_file_survives(name: bytes) -> None:
    text = to_text(os.fsdecode(name))
    text.encode()
    assert os.fsencode(to_name(text)) == name
    assert to_texts([text, None, "\udcff", "a"]).to_pylist() == [text, None, "\ufffdff", "a"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"))))
def test_names_in_utf_8_stay_as_they_are(names: list[str]) -> None:
    assert [to_text(name) for name in names] == names
    assert to_texts(names).to_pylist() == names


def test_a_name_that_is_not_utf_8_is_opened_and_its_links_are_seen(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    (tmp_path / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xff.png")).symlink_to("/etc/hostname")
    (tmp_path / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xfe.png")).touch()
    safe = SafePaths(tmp_path)
    assert safe("caf\ufffde9/\ufffdff.png") == OUT
    assert safe("caf\ufffde9/\ufffdfe.png") is None
    assert file_of(tmp_path, "caf\ufffde9/\ufffdfe.png").exists()
