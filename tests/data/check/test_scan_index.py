import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from encoded import encode, noise

from striate.data import build
from striate.data.check import scan
from striate.data.check.cache import DIGEST
from striate.data.check.scan import view
from striate.data.check.scan_index import in_parts, scan_index
from striate.data.workers import Workers

Save = Callable[..., Path]


def test_workers_change_nothing(tmp_path: Path, save_picture: Save) -> None:
    names = [save_picture(tmp_path / f"{number}.png", seed=number).name for number in range(5)]
    (tmp_path / "2.png").write_bytes(b"")
    index = build(tmp_path, ("ant",), names * 30, reason=["by hand", *[None] * 149])
    alone, together = (scan_index(index, workers=Workers(count)) for count in (1, 3))
    assert (alone.records == together.records).all()
    assert alone.reasons == together.reasons
    assert alone.reasons[:4] == ("by hand", None, "the file is empty", None)
    assert alone.rows.tolist() == [row for row in range(1, 150) if row % 5 != 2]


def test_what_is_known_is_not_opened_again(tmp_path: Path, save_picture: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def counted(image: Any) -> Any:
        opened.append(image.size)
        return view(image)

    monkeypatch.setattr(scan, "view", counted)
    names = [save_picture(tmp_path / f"{n}.png", size=(9 + n, 9), seed=n).name for n in range(3)]
    index = build(tmp_path, ("ant",), names)
    digests = pa.array([bytes([n]) * 16 for n in range(3)], DIGEST)
    cache = tmp_path / "cache" / "records.npy"
    first = scan_index(index, digests=digests, cache=cache)
    steps: list[int] = []
    digests = pa.array([bytes([n]) * 16 for n in (0, 9, 2)], DIGEST)
    again = scan_index(index, digests=digests, cache=cache, advance=steps.append)
    assert opened == [(9, 9), (10, 9), (11, 9), (10, 9)]
    assert (first.records == again.records).all()
    assert steps == [2, 1]
    stricter = scan_index(index, digests=digests, cache=cache, max_pixels=90)
    assert stricter.reasons == (
        None,
        None,
        "11 x 9 pixels are more than the limit of 90: check and train with --max-pixels 99",
    )


def test_a_known_jpeg_may_have_four_times_the_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.jpg").write_bytes(encode(noise(20, 10), "JPEG"))
    index, digests = build(tmp_path, ("ant",), ["1.jpg"]), pa.array([bytes(16)], DIGEST)
    cache = tmp_path / "cache" / "records.npy"
    first = scan_index(index, digests=digests, cache=cache)
    refused = scan_index(index, digests=digests, cache=cache, max_pixels=49)
    assert refused.reasons == ("20 x 10 pixels are more than the limit of 196: check and train with --max-pixels 50",)
    monkeypatch.setattr(scan, "view", None)  # the image is not opened again
    assert (scan_index(index, digests=digests, cache=cache, max_pixels=50).records == first.records).all()


def test_what_cannot_be_read_is_tried_again(tmp_path: Path, save_picture: Save) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(b"")
    index, cache = build(tmp_path, ("ant",), ["1.png"]), tmp_path / "records.npy"
    assert scan_index(index, digests=pa.nulls(1, DIGEST), cache=cache).rows.tolist() == []
    save_picture(path)
    assert scan_index(index, digests=pa.nulls(1, DIGEST), cache=cache).rows.tolist() == [0]


def test_an_error_in_a_thread_is_not_lost() -> None:
    def work(rows: Any) -> None:
        if 100 in rows:
            raise MemoryError

    steps: list[int] = []
    with pytest.raises(MemoryError):
        in_parts(work, np.arange(500), os.cpu_count() or 1, steps.append)
    assert steps == [64]
