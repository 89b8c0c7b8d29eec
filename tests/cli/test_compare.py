import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from striate.model import Model
from striate.training import RunFolder

Striate = Callable[..., tuple[int, str, str]]
PLAIN = ("--device", "cpu", "--precision", "float32", "--split", "all")


def test_a_model_beside_itself_is_undecided(
    striate: Striate, finished: RunFolder, two_classes: Path, tmp_path: Path
) -> None:
    code, out, err = striate("compare", finished.model, finished.model, two_classes, *PLAIN)
    assert (code, err) == (0, "")
    assert "B alone 0, A alone 0" in out
    out = striate("compare", finished.model, finished.model, two_classes, *PLAIN, "--output", tmp_path / "a.png")[1]
    assert out.endswith(f"{tmp_path / 'a.png'} was not written: no image is answered better by one of the models.\n")
    assert "These 24 images cannot tell which is better" in out
    assert "images would show that they differ by less than 0.01" in out


def test_a_trained_model_is_better_than_one_with_random_weights(
    striate: Striate, finished: RunFolder, untrained: Callable[..., Model], two_classes: Path, tmp_path: Path
) -> None:
    untrained().save(tmp_path / "random.safetensors")
    words = (tmp_path / "random.safetensors", finished.model, two_classes, *PLAIN)
    code, out, _ = striate("compare", *words, "--json", "--output", tmp_path / "flips.png")
    plain = json.loads(out)
    assert code == 0
    assert plain["verdict"] == "better"
    assert plain["sentence"].startswith("B is better: ")
    assert plain["gained"] - plain["lost"] == round(24 * (plain["accuracy"]["b"] - plain["accuracy"]["a"]))
    with Image.open(tmp_path / "flips.png") as image:
        assert image.width > 100
    out = striate("compare", *words, "--output", tmp_path / "again.png")[1]
    assert out.endswith(f"wrote {tmp_path / 'again.png'}\n")


def test_models_of_other_classes(
    striate: Striate, finished: RunFolder, untrained: Callable[..., Model], two_classes: Path, tmp_path: Path
) -> None:
    untrained(("a", "b")).save(tmp_path / "other.safetensors")
    code, _, err = striate("compare", finished.model, tmp_path / "other.safetensors", two_classes)
    assert code == 2
    assert err.startswith("striate: models: expected two with the same classes; A alone has dark and light; ")
