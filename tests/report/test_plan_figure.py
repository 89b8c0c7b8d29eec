from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.report.plan_figure import Point, draw_curves

DEPTHS = {"conv1": Point(0.6, 0.5, 0.7), "conv2": Point(0.9, 0.85, 0.94)}
SIZES = {30: Point(0.7, 0.6, 0.8), 60: Point(0.85, 0.8, 0.9), 120: Point(0.9, 0.85, 0.94)}


def drawn(path: Path, depths: dict[str, Point], sizes: dict[int, Point]) -> bytes:
    draw_curves(depths, sizes, "conv2", path)
    with Image.open(path) as image:
        assert image.size == (1320, 504)
        return image.tobytes()


def test_both_curves_are_on_the_picture(tmp_path: Path) -> None:
    both = drawn(tmp_path / "plan.png", DEPTHS, SIZES)
    lower = drawn(tmp_path / "lower.png", DEPTHS | {"conv1": Point(0.5, 0.4, 0.6)}, SIZES)
    fewer = drawn(tmp_path / "fewer.png", DEPTHS, {120: SIZES[120]})
    wider = drawn(tmp_path / "wider.png", DEPTHS, SIZES | {120: Point(0.9, 0.8, 0.99)})
    assert len({both, lower, fewer, wider}) == 4
    assert drawn(tmp_path / "again.png", DEPTHS, SIZES) == both


def test_many_long_names_have_room_and_a_single_point_is_drawn(tmp_path: Path) -> None:
    many = {f"features.denseblock{number}.denselayer": Point(0.5, 0.5, 0.5) for number in range(100)}
    image = drawn(tmp_path / "many.png", many, {2000: Point(0.5, 0.5, 0.5)})
    assert image != drawn(tmp_path / "few.png", dict(list(many.items())[:1]), {2000: Point(0.5, 0.5, 0.5)})


def test_every_value_lies_at_its_height(tmp_path: Path) -> None:
    """The dots of two points, measured against the frame, which ends a twentieth beyond the extreme values."""
    draw_curves({"low": Point(0.2, 0.2, 0.2), "high": Point(0.8, 0.8, 0.8)}, SIZES, "high", tmp_path / "plan.png")
    with Image.open(tmp_path / "plan.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    blue = (pixels[:, :650, 2] - pixels[:, :650, 0]) > 100
    columns = np.flatnonzero(blue.any(axis=0))
    first, last = (np.flatnonzero(blue[:, column]).mean() for column in (columns[0] + 6, columns[-1] - 6))
    frame = np.flatnonzero(pixels[:, 100:600].mean(axis=(1, 2)) < 128)  # rows that are black nearly all along
    top, bottom = frame[0], frame[-1]
    share = [(bottom - height) / (bottom - top) for height in (first, last)]
    low, high = 0.2 - 0.05 * 0.74, 0.94 + 0.05 * 0.74
    assert share[0] * (high - low) + low == pytest.approx(0.2, abs=0.02)
    assert share[1] * (high - low) + low == pytest.approx(0.8, abs=0.02)
