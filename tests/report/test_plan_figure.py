from pathlib import Path

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
