"""Outputs in the place of what is read: a sentence before anything is written, and all that was there stays."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from striate.cli.app import main
from striate.cli.flags import require_apart
from striate.errors import UsageError
from striate.model import Model

Refusal = Callable[..., str]

WORDS = {
    "predict": ["predict", "MODEL", "DATA", "--format", "csv", "--output", "PHOTO"],
    "predict over the model": ["predict", "MODEL", "DATA", "--format", "csv", "--output", "MODEL"],
    "drawings beside what is drawn": ["predict", "MODEL", "FOLDER", "--draw", "FOLDER"],
    "explain": ["explain", "MODEL", "PHOTO", "--output", "PHOTO"],
    "maps beside what is explained": ["explain", "MODEL", "FOLDER", "--output", "FOLDER"],
    "augment": ["augment", "DATA", "--output", "PHOTO"],
    "check's page": ["check", "DATA", "--html", "PHOTO"],
    "check's index": ["check", "INDEX", "--fix", "INDEX"],
    "ensemble": ["ensemble", "MODEL", "MODEL", "--output", "MODEL"],
    "ensemble by a link": ["ensemble", "LINK", "MODEL", "--output", "MODEL"],
    "ensemble to a link": ["ensemble", "MODEL", "MODEL", "--output", "LINK"],
    "compare": ["compare", "MODEL", "MODEL", "DATA", "--output", "PHOTO"],
    "filter": ["filter", "PHOTO", "--output", "PHOTO"],
    "inspect": ["inspect", "MODEL", "--html", "MODEL"],
    "report": ["report", "MODEL", "DATA", "--output", "MODEL"],
    "a report's card": ["report", "MODEL", "DATA", "--output", "NEW", "--card", "PHOTO"],
}


@pytest.fixture
def places(tmp_path: Path, two_classes: Path, untrained: Callable[..., Model]) -> dict[str, Path]:
    folder = two_classes / "dark"
    model, index, link = tmp_path / "m.safetensors", tmp_path / "index.parquet", tmp_path / "link.safetensors"
    untrained().save(model)
    link.symlink_to(model)
    with pytest.raises(SystemExit):
        main(["check", str(two_classes), "--fix", str(index)])
    photo = sorted(folder.iterdir())[0]
    return {
        "MODEL": model,
        "LINK": link,
        "DATA": two_classes,
        "FOLDER": folder,
        "PHOTO": photo,
        "INDEX": index,
        "NEW": tmp_path / "new.html",
    }


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_nothing_that_is_read_is_replaced(
    tmp_path: Path, places: dict[str, Path], refusal: Refusal, words: list[str]
) -> None:
    before = dict(contents(tmp_path))
    sentence = refusal(*(places.get(word, word) for word in words), code=2)
    assert "expected another place than that of what is read, which would be replaced" in sentence
    assert dict(contents(tmp_path)) == before


def test_what_may_be_replaced(tmp_path: Path) -> None:
    data, model = tmp_path / "data", tmp_path / "m.safetensors"
    (data / "below").mkdir(parents=True)
    (data / "a.png").write_bytes(b"")
    model.write_bytes(b"")
    require_apart("--output", data / "new.png", [data, model])
    require_apart("--draw", data / "below", [data / "a.png"])
    require_apart("--output", tmp_path / "old.png", [data / "a.png", None, Path("efficientnet_lite0")])
    shutil.copy(data / "a.png", data / "below" / "a.png")
    for place in (data / "a.png", data / "below" / "a.png"):
        with pytest.raises(UsageError, match="`--output`"):
            require_apart("--output", place, [data])


def test_a_plan_is_not_made_for_a_folder_that_cannot_be(two_classes: Path, tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        sentence = refusal("plan", two_classes, "--output", tmp_path / name, code=2)
        assert sentence.startswith(f"`--output`: expected a folder, or a name for one; got {tmp_path / name}")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("output", ["/", "/.."])
def test_a_run_has_a_folder_with_a_name(two_classes: Path, refusal: Refusal, output: str) -> None:
    sentence = refusal("train", two_classes, "--model", "lenet5", "--weights", "none", "--output", output, code=2)
    assert sentence == "output /: expected the name of a folder. Try another --output."


def test_a_run_that_finds_this_folder_full_lies_beside_it(
    two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.txt").write_text("mine")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(SystemExit) as left:
        main(["train", str(two_classes), "--model", "lenet5", "--weights", "none", "--epochs", "1", "--output", "."])
    assert left.value.code == 0
    assert (tmp_path / "here-2" / "model.safetensors").is_file()
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["mine.txt"]


@pytest.mark.skipif(os.name != "posix", reason="only a shell of POSIX closes streams")
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_lead_nowhere(places: dict[str, Path], closed: str) -> None:
    words = [sys.executable, "-m", "striate", "predict", str(places["MODEL"]), str(places["PHOTO"])]
    done = subprocess.run(["sh", "-c", f"exec {shlex.join(words)} {closed}"], check=False, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
