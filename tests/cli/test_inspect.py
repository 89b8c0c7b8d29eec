import json
from pathlib import Path

import pytest

from striate.cli.app import main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int | str | None, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", *words])
    printed = capsys.readouterr()
    return stopped.value.code, printed.out, printed.err


def test_the_table_of_the_notes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "lenet5_notes", "--advice")
    assert code == 0
    for number in ("6,272", "608", "3,216", "48,120", "10,164", "850", "62,958", "holds 76%"):
        assert number in out
    assert "relu" not in out
    assert "relu" in run(capsys, "lenet5_notes", "--all")[1]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "resnet18", "--json", "--img-size", "64x96", "--num-classes", "10", "--in-channels", "1")
    found = json.loads(out)
    assert found["input_shape"] == [1, 64, 96]
    assert found["layers"][0]["shape"] == [64, 32, 48]
    assert found["layers"][-1]["parameters"] == 5130
    assert found["totals"]["depth"] == 18
    assert "advice" not in found
    _, out, _ = run(capsys, "lenet5", "convnet39", "--json", "--advice")
    assert [x["name"] for x in json.loads(out)] == ["lenet5", "convnet39"]
    assert json.loads(out)[0]["advice"][0]["kind"] == "dense"


def test_several_are_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "--compare", "lenet5", "convnet39", "--html", str(tmp_path / "cost.html"))
    assert code == 0
    assert "61,706" in out
    assert "44,950" in out
    assert "conv1" not in out
    assert "61,706" in (tmp_path / "cost.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("resnet81",), "Did you mean `resnet18`?"),
        (("resnet18", "--img-size", "1x2x3"), "or HEIGHTxWIDTH, from 1 to 16,384 each; got 1x2x3. Try 224 or 224x320."),
        (("resnet18", "--img-size", "0"), "or HEIGHTxWIDTH, from 1 to 16,384 each; got 0."),
        (("resnet18", "--compare"), "expected at least two networks; got resnet18 alone"),
        (("lenet5", "--img-size", "33"), "expected H and W of 32"),
    ],
)
def test_misuse(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert message in err
