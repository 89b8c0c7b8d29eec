import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from striate.data import Index, build, check, open_image, read, require_few_bad
from striate.data.check import KINDS, Check, Finding, Severity, by_kind, examine
from striate.errors import DataError

UNKNOWN = "not an image of a known format (JPEG, PNG, TIFF, WebP and others)"


@pytest.fixture
def mixed(tmp_path: Path, save_picture: Callable[..., Path]) -> Path:
    """Two classes of good, bad and odd files."""
    for place, name in enumerate(("ant/1.png", "ant/5.jpg", "bee/1.gif", "bee/2.bmp")):
        save_picture(tmp_path / name, size=(40, 30), seed=place)
    (tmp_path / "ant/2.png").write_bytes(b"")
    (tmp_path / "ant/3.png").write_text("no image")
    (tmp_path / "ant/4.jpg").write_bytes((tmp_path / "ant/5.jpg").read_bytes()[:-200])
    (tmp_path / "ant/notes.txt").write_text("x")
    (tmp_path / "bee/2.bmp").rename(tmp_path / "bee/2.jpg")
    whole = (tmp_path / "ant/1.png").read_bytes()
    (tmp_path / "bee/3.png").write_bytes(whole[: len(whole) // 2])
    save_picture(tmp_path / "bee/large.png", size=(70, 30))
    return tmp_path


@pytest.mark.parametrize("workers", [1, 3])
def test_every_bad_or_odd_file_is_named_in_order(mixed: Path, workers: int) -> None:
    index, findings = check(read(mixed), max_pixels=2000, workers=workers)
    assert [(finding.path, finding.used) for finding in findings] == [
        ("ant/2.png", False),
        ("ant/3.png", False),
        ("ant/4.jpg", False),
        ("ant/notes.txt", False),
        ("bee/2.jpg", True),
        ("bee/3.png", False),
        ("bee/large.png", False),
    ]
    reasons = {finding.path: finding.reason for finding in findings}
    assert reasons["ant/2.png"] == "the file is empty"
    assert reasons["ant/3.png"] == UNKNOWN
    assert reasons["ant/4.jpg"].startswith("image file is truncated")
    assert reasons["ant/notes.txt"] == "not an image by its name (.txt)"
    assert reasons["bee/2.jpg"] == "its content is BMP, its name ends in .jpg"
    assert reasons["bee/3.png"].startswith("image file is truncated")
    assert (
        reasons["bee/large.png"]
        == "70 x 30 pixels are more than the limit of 2,000: check and train with --max-pixels 2100"
    )
    assert [index.paths()[row] for row in np.flatnonzero(index.usable())] == [
        "ant/1.png",
        "ant/5.jpg",
        "bee/1.gif",
        "bee/2.jpg",
    ]


def test_the_index_keeps_its_rows_and_takes_the_reasons(mixed: Path) -> None:
    before = read(mixed)
    after, findings = check(before)
    assert after.paths() == before.paths()
    assert after.fingerprint() == before.fingerprint()
    taken = [reason for reason in after.table["reason"].to_pylist() if reason is not None]
    assert taken == [finding.reason for finding in findings if not finding.used]
    assert before.table["reason"].to_pylist().count(None) == len(before) - 1  # the one given was left as it is


def test_a_row_with_a_reason_is_not_opened(tmp_path: Path) -> None:
    """There is no file: had it been opened, the reason would be another."""
    index = build(tmp_path, ("ant",), ["none.png"], label=[0], reason=["left out by hand"])
    _, findings = check(index)
    assert findings == [Finding("left-out", "left out by hand", ("none.png",), (0,), used=False)]


def test_a_good_folder_has_no_findings(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    for suffix in ("jpg", "JPEG", "png", "bmp", "gif", "webp", "tif", "tiff", "ppm"):
        save_picture(tmp_path / f"ant/1.{suffix}")
    Image.new("L", (4, 4)).save(tmp_path / "ant/1.pgm")
    index, findings = check(read(tmp_path))
    assert findings == []
    assert index.usable().all()


def test_a_photo_with_a_second_image_inside_is_a_jpeg_by_its_name(tmp_path: Path) -> None:
    """Telephones write two images into one JPEG file, which Pillow calls MPO."""
    (tmp_path / "ant").mkdir()
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green")]
    frames[0].save(tmp_path / "ant/1.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "ant/1.jpg").pillow.format == "MPO"
    assert check(read(tmp_path))[1] == []


def test_what_decodes_and_cannot_be_used_is_found_too(tmp_path: Path) -> None:
    """What training would stumble over later: pixels that are no numbers."""
    (tmp_path / "ant").mkdir()
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "ant/1.tif")
    _, findings = check(read(tmp_path))
    reason = "it holds no number that is finite"
    assert findings == [Finding("unreadable", reason, ("ant/1.tif",), (0,), used=False)]


def test_images_of_a_file_of_many_have_no_odd_suffix(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    encoded = save_picture(tmp_path / "1.png").read_bytes()
    (tmp_path / "parquet").mkdir()
    pq.write_table(pa.table({"image": [{"bytes": encoded}], "label": ["ant"]}), tmp_path / "parquet/train.parquet")
    assert check(read(tmp_path / "parquet"))[1] == []
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx/train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + bytes([0, 0, 0, 2] * 3) + bytes(8))
    (tmp_path / "idx/train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + bytes([0, 0, 0, 2]) + bytes(2))
    index, findings = check(read(tmp_path / "idx"))
    assert findings == []
    assert index.usable().all()


def test_progress_counts_every_image_once(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    save_picture(tmp_path / "1.png")
    reason = [*[None] * 150, *["left out by hand"] * 7]
    index = build(tmp_path, ("ant",), ["1.png"] * 157, label=[0] * 157, reason=reason)
    steps: list[int] = []
    check(index, workers=2, advance=steps.append)
    assert sum(steps) == 150
    assert len(steps) >= 3  # it is told in between too


def test_an_index_without_rows_has_no_findings(tmp_path: Path) -> None:
    index = build(tmp_path, ("ant",), [])
    assert check(index) == (index, [])


def bad_of(opened: int, bad: int) -> tuple[Index, Index]:
    """An index before and after a check that found so many bad among so many opened; one was left out before."""
    before = build(Path(), ("ant",), ["x"] * (opened + 1), reason=["left out by hand", *[None] * opened])
    return before, before.with_column("reason", ["left out by hand", *["bad"] * bad, *[None] * (opened - bad)])


def test_too_many_bad_images_stop_the_work() -> None:
    sentence = (
        "data: expected at most 5.0% unreadable images; got 6 of 100 (6.0%). "
        "They are named in check.csv: mend or remove them, or raise --max-bad."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        require_few_bad(*bad_of(100, 6), 0.05)
    require_few_bad(*bad_of(100, 5), 0.05)


@pytest.mark.parametrize(("opened", "bad", "max_bad"), [(0, 0, 0.0), (10, 0, 0.0), (10, 10, 1.0)])
def test_the_ends_of_the_share_of_bad_images(opened: int, bad: int, max_bad: float) -> None:
    require_few_bad(*bad_of(opened, bad), max_bad)
    if opened > bad:
        with pytest.raises(DataError, match=r"expected at most 0\.0% .* got 1 of 10 \(10\.0%\)"):
            require_few_bad(*bad_of(opened, 1), max_bad)


@pytest.fixture
def faulty(tmp_path: Path, save_picture: Callable[..., Path]) -> Path:
    """Two classes in train and val, with a leak, a conflict, a copy, and a class that is never taught."""
    for seed, name in enumerate(("train/ant/1.png", "train/ant/2.png", "train/bee/1.png", "val/ant/1.png")):
        save_picture(tmp_path / name, size=(40, 40), seed=seed)
    save_picture(tmp_path / "val/wasp/1.png", size=(40, 40), seed=7)
    for name, of in (("val/ant/leak.png", "train/ant/1.png"), ("train/bee/conflict.png", "train/ant/2.png"),
                     ("train/bee/copy.png", "train/bee/1.png")):  # fmt: skip
        (tmp_path / name).write_bytes((tmp_path / of).read_bytes())
    (tmp_path / "train/bee/bad.png").write_bytes(b"")
    return tmp_path


def test_everything_at_once(faulty: Path) -> None:
    found = examine(read(faulty), max_bad=0.1)
    assert [(finding.kind, finding.reason, len(finding.rows)) for finding in found.findings] == [
        ("leak", "2 images, the same file: in train and val", 2),
        ("conflict", "2 images, the same file: as ant and bee", 2),
        ("untaught", "val has images of wasp; train has none", 0),
        ("too-many-bad", "1 of 9 (11.1%), more than 10.0%", 0),
        ("unreadable", "the file is empty", 1),
        ("duplicate", "2 images, the same file", 2),
        ("few", "fewer than 10 images: ant and bee", 0),
        ("not-asked", "val has no image of bee", 0),
    ]
    assert not found.passed
    assert found.count(Severity.ERROR) == 4
    assert found.index.usable().sum() == 8


def test_nothing_wrong_is_passed(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    for number in range(20):
        save_picture(tmp_path / f"{'ab'[number % 2]}/{number}.png", size=(40, 40), seed=number)
    found = examine(read(tmp_path))
    assert found.passed
    assert found.findings == ()
    assert found.index.usable().all()


def test_workers_and_a_second_check_change_nothing(
    faulty: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    first = examine(read(faulty), folder=folder)
    assert first.findings == examine(read(faulty), workers=3, folder=tmp_path_factory.mktemp("other")).findings
    again = examine(read(faulty), folder=folder)
    assert (again.findings, again.colours) == (first.findings, first.colours)
    (faulty / "val/ant/leak.png").unlink()
    (faulty / "val/ant/leak.png").write_bytes((faulty / "val/ant/1.png").read_bytes())
    changed = examine(read(faulty), folder=folder)
    assert [finding.paths for finding in by_kind(changed.findings)["duplicate"]] == [
        ("train/bee/1.png", "train/bee/copy.png"),
        ("val/ant/1.png", "val/ant/leak.png"),
    ]
    assert "leak" not in by_kind(changed.findings)


def test_each_part_of_the_work_is_shown(faulty: Path) -> None:
    done: dict[str, int] = {}

    @contextmanager
    def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            done[title] += count

        done[title] = 0
        yield advance
        assert done[title] == total

    examine(read(faulty), progress=progress)
    assert done == {"identifying": 9, "looking": 9, "looking at masks": 0}


def test_the_colours_are_those_of_the_images(tmp_path: Path) -> None:
    for name, colour in (("1", (255, 0, 51)), ("2", (255, 102, 51))):
        (tmp_path / "ant").mkdir(exist_ok=True)
        Image.new("RGB", (50, 40), colour).save(tmp_path / f"ant/{name}.png")
    plain = examine(read(tmp_path)).to_dict()
    assert plain["mean"] == pytest.approx([1, 0.2, 0.2])
    assert plain["std"] == pytest.approx([0, 0.2, 0], abs=1e-7)


def test_what_a_script_reads(faulty: Path) -> None:
    plain = json.loads(json.dumps(examine(read(faulty)).to_dict()))
    assert (plain["passed"], plain["images"], plain["usable"]) == (False, 9, 8)
    assert plain["splits"] == {"train": 5, "val": 3}
    assert plain["classes"] == {
        "train": {"ant": 2, "bee": 3, "wasp": 0},
        "val": {"ant": 2, "bee": 0, "wasp": 1},
    }
    assert plain["counts"] == {"error": 4, "warning": 3, "info": 1}
    assert plain["kinds"]["leak"] == 1
    assert plain["findings"][0] == {
        "kind": "leak",
        "severity": "error",
        "reason": "2 images, the same file: in train and val",
        "paths": ["train/ant/1.png", "val/ant/leak.png"],
        "used": True,
    }
    assert {finding["kind"] for finding in plain["findings"]} <= set(KINDS)


def test_an_empty_index_has_nothing_wrong(tmp_path: Path) -> None:
    found = examine(build(tmp_path, (), []))
    assert isinstance(found, Check)
    assert found.findings == ()
    assert found.to_dict()["mean"] == []
