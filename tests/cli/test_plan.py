import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from task_table import labelled, masked

from striate.console import Reporter
from striate.data.index_file import save_index
from striate.model import Model
from striate.recipe import Recipe
from striate.training import train

Striate = Callable[..., tuple[int, str, str]]
QUICK = ("--device", "cpu", "--precision", "float32", "--workers", "1", "--val-fraction", "0.2")


@pytest.fixture
def base(untrained: Callable[..., Model], tmp_path: Path) -> str:
    """A model file of five classes."""
    untrained(tuple("abcde")).save(tmp_path / "base.safetensors")
    return str(tmp_path / "base.safetensors")


def test_text_and_figure(striate: Striate, two_classes: Path, base: str, tmp_path: Path) -> None:
    out = tmp_path / "a" / "plan"
    code, text, _ = striate("plan", two_classes, "--weights", base, "--out", out, *QUICK)
    assert code == 0
    lines = text.splitlines()
    assert re.match(r"\d+ of \d+ training images, 2 classes; features of \d+ computed, the others cached", lines[0])
    for word in ("conv1", "conv2", "fc1", "all", "none", "accuracy of a head there", "images"):
        assert word in text
    assert lines[-1].startswith("freeze ")
    assert [path.name for path in sorted(out.iterdir())][-1] == "plan.png"


def test_json(striate: Striate, two_classes: Path, base: str) -> None:
    words = ("plan", two_classes, "--weights", base, "--json", "--images", "12", "--img-size", "32", *QUICK)
    found = [json.loads(striate(*words)[1]) for _ in range(2)]
    for plan in found:
        assert plan["evidence"]["looked_at"] == 12
        assert plan["sentence"].startswith(f"freeze {plan['freeze']}: ")
        assert [depth["stage"] for depth in plan["depths"]] == ["conv1", "conv2", "fc1", "fc2"]
        assert [choice["freeze"] for choice in plan["choices"]] == ["all", "fc1", "conv2", "conv1", "none"]
    assert found[1]["computed"] == 0
    assert found[0]["depths"] == found[1]["depths"]


def test_a_recipe_gives_what_is_not_typed(striate: Striate, two_classes: Path, base: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'[transfer]\nweights = "{base}"\nfreeze = "all"\n[training]\nepochs = 3\nseed = 7\n')
    words = ("plan", two_classes, "--json", "--recipe", recipe, *QUICK)
    code, text, err = striate(*words, "--epochs", "50")
    assert (code, err) == (0, err)
    found = json.loads(text)
    typed = ("--weights", base, "--seed", "7", "--epochs", "50")
    again = json.loads(striate("plan", two_classes, "--json", *typed, *QUICK)[1])
    for key in ("depths", "sizes", "evidence"):
        assert found[key] == again[key]


def test_what_cannot_be_read_is_named(
    striate: Striate, write_pictures: Callable[[Path, Mapping[str, int]], Path], base: str, tmp_path: Path
) -> None:
    root = write_pictures(tmp_path / "data", {"dark": 12, "light": 12})
    (root / "dark" / "03.png").write_bytes(b"no image")
    code, _, err = striate("plan", root, "--weights", base, *QUICK)
    assert code == 3
    assert "expected at most 1.0% unreadable" in err
    code, _, err = striate("plan", root, "--weights", base, "--max-bad", "0.1", *QUICK)
    assert code == 0
    assert "warning: cannot be read. Left out of everything.\n  dark/03.png: not an image" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("{data}",),
            2,
            "`weights`: expected some of which a part may be frozen; got none. weights: none, resnet20_cifar trains",
        ),
        (("{data}", "--weights", "nothing"), 2, "expected the name of published weights, or a file; got nothing."),
        (("{data}", "--weights", "{base}", "--images", "1"), 2, "images"),
        (("{empty}", "--weights", "{base}"), 3, "empty"),
    ],
)
def test_misuse(
    striate: Striate,
    two_classes: Path,
    base: str,
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"data": two_classes, "base": base, "empty": tmp_path / "empty"}
    found, _, err = striate("plan", *(word.format(**places) for word in words))
    assert found == code
    assert message in err


def test_a_task_without_fitted_heads_gets_prices(
    striate: Striate, tiny_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    index = masked(tmp_path / "data")
    save_index(index, tmp_path / "data" / "index.parquet")
    values: dict[str, Any] = {"model": "resnet20_cifar", "model_args": {}, "img_size": 32, "in_channels": 1}
    run = train(labelled(tmp_path / "labels"), tiny_recipe(**values, epochs=1), tmp_path / "run", Reporter.silent())
    words = ("plan", tmp_path / "data" / "index.parquet", "--weights", run.model, "--epochs", 5, "--device", "cpu")
    code, said, _ = striate(*words)
    assert code == 0
    assert "accuracy" not in said
    assert "--freeze none takes about " in said
    code, said, _ = striate(*words, "--json")
    assert [choice["freeze"] for choice in json.loads(said)["choices"]][::5] == ["all", "none"]
    code, _, err = striate(*words, "--output", tmp_path / "drawn")
    assert (code, err.splitlines()[-1]) == (
        2,
        "striate: `--output`: expected a task with heads to draw curves of; got prices alone. Try without it.",
    )
