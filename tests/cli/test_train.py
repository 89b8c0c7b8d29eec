from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from striate import api
from striate.model import load
from striate.recipe import Recipe, dumps
from striate.recipe import load as load_recipe
from striate.training import RunFolder

Striate = Callable[..., tuple[int, str, str]]
MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]
TINY = (
    "--model", "lenet5", "--model-args.activation", "relu", "--epochs", 2, "-b", 8, "-j", 1, "--device", "cpu",
    "--precision", "float32",
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Takes what the command would train or resume, in place of doing it."""
    found: dict[str, Any] = {}

    def train(data: Path, recipe: Recipe, *, output: Path | None) -> None:
        found.update(data=data, recipe=recipe, output=output)

    def resume(path: Path, recipe: Recipe) -> None:
        found.update(resume=path, recipe=recipe)

    monkeypatch.setattr(api, "train", train)
    monkeypatch.setattr(api, "resume", resume)
    return found


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(
        '[network]\nmodel = "lenet5"\nmodel_args = { activation = "relu" }\n'
        "[augment]\ncrop_scale = [0.5, 0.9]\n"
        "[data]\nstd = [0.25]\n"
        "[training]\nepochs = 7\nbatch_size = 5\nlr = 0.5\n"
        "[machine]\ntensorboard = true\n"
    )
    return path


def test_a_model_comes_out(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    code, out, err = striate("train", two_classes, *TINY, "-o", tmp_path / "run")
    assert (code, out) == (0, "")
    assert "epoch 2/2: " in err
    assert f"model: {tmp_path / 'run' / 'model.safetensors'}\n" in err
    assert load(tmp_path / "run" / "model.safetensors").classes == ("dark", "light")


def test_a_run_goes_on(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    striate("train", two_classes, *TINY, "-o", tmp_path / "run")
    code, out, err = striate("train", "--resume", tmp_path / "run", "--epochs", 3, "-j", 2)
    assert (code, out) == (0, "")
    assert "resumed from " in err
    assert "epoch 3/3: " in err
    kept = load_recipe(tmp_path / "run" / "recipe.toml")
    assert (kept.training.epochs, kept.training.batch_size, kept.machine.workers) == (3, 8, 2)
    assert kept.network.model_args == {"activation": "relu"}


@pytest.mark.parametrize(("flags", "reported"), [((), False), (("--report",), True)])
def test_a_run_that_was_not_to_be_reported_goes_on_so(
    striate: Striate, two_classes: Path, tmp_path: Path, flags: tuple[str, ...], reported: bool
) -> None:
    striate("train", two_classes, *TINY, "-o", tmp_path / "run", "--no-report")
    for words in ((), ("--epochs", 3)):  # with nothing left to do, and with an epoch more
        code, _, err = striate("train", "--resume", tmp_path / "run", *words, *flags)
        assert code == 0
        assert [(tmp_path / "run" / name).exists() for name in ("report.html", "README.md")] == [reported] * 2
        assert ("report: " in err) is reported


def test_values_come_from_the_flags_then_the_file_then_the_defaults(
    striate: Striate, asked: dict[str, Any], recipe_file: Path
) -> None:
    assert striate("train", "DATA", "--recipe", recipe_file, "--lr", "0.125", "-b", 3, "-o", "RUN") == (0, "", "")
    assert (asked["data"], asked["output"]) == (Path("DATA"), Path("RUN"))
    recipe = asked["recipe"]
    assert (recipe.training.lr, recipe.training.batch_size) == (0.125, 3)  # typed
    assert recipe.training.epochs == 7  # of the file
    assert recipe.network == load_recipe(recipe_file).network
    assert recipe.augment.crop_scale == (0.5, 0.9)
    assert recipe.data.std == (0.25,)
    assert recipe.machine.tensorboard
    assert recipe.training.opt == Recipe().training.opt


def test_flags_can_take_back_what_the_file_says(striate: Striate, asked: dict[str, Any], recipe_file: Path) -> None:
    words = ("--no-tensorboard", "--crop-scale", 1, 1, "--model-args.activation", "tanh")
    assert striate("train", "DATA", "--recipe", recipe_file, *words)[0] == 0
    assert not asked["recipe"].machine.tensorboard
    assert asked["recipe"].augment.crop_scale == (1.0, 1.0)
    assert asked["recipe"].network.model_args == {"activation": "tanh"}


def test_without_a_file_all_is_as_the_recipe_s_defaults(striate: Striate, asked: dict[str, Any]) -> None:
    assert striate("train", "DATA") == (0, "", "")
    assert asked == {"data": Path("DATA"), "recipe": Recipe(), "output": None}
    assert striate("train", "DATA", "--no-report") == (0, "", "")
    assert asked["recipe"].machine.report is False


def test_a_file_with_the_whole_recipe(
    striate: Striate, asked: dict[str, Any], tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(label_separator=";", mean=(0.25,), std=(0.5,), seed=2**62, in_channels=1)
    (tmp_path / "a.toml").write_text(dumps(recipe))
    assert striate("train", "DATA", "--recipe", tmp_path / "a.toml")[0] == 0
    assert asked["recipe"] == recipe


def test_a_resumed_run_has_its_own_recipe(striate: Striate, asked: dict[str, Any], finished: RunFolder) -> None:
    assert striate("train", "--resume", finished.path, "--epochs", 9)[0] == 0
    assert asked["resume"] == finished.path
    kept = load_recipe(finished.recipe)
    assert asked["recipe"].data == kept.data
    assert asked["recipe"].training.lr == kept.training.lr
    assert asked["recipe"].training.epochs == 9


def refusal(outcome: tuple[int, str, str]) -> str:
    """What a misuse says."""
    code, out, err = outcome
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err.removeprefix("striate: ").removesuffix("\n")


def test_no_data(striate: Striate) -> None:
    assert refusal(striate("train")) == (
        "DATA: expected a folder, CSV, JSON or Parquet file to train on; got none. See `striate train --help`."
    )


@pytest.mark.parametrize("words", [("DATA",), ("-o", "OUT")])
def test_resume_takes_no_data_and_no_output(striate: Striate, finished: RunFolder, words: tuple[str, ...]) -> None:
    assert refusal(striate("train", *words, "--resume", finished.path)) == (
        "`--resume`: expected no DATA and no --output beside it; both are the run's own."
    )


def test_resume_takes_no_recipe_file(striate: Striate, finished: RunFolder, recipe_file: Path) -> None:
    assert refusal(striate("train", "--resume", finished.path, "--recipe", recipe_file)) == (
        "`--recipe` and `--resume`: expected one of them; a resumed run has its recipe in its folder."
    )


def test_resume_of_what_is_no_run(striate: Striate, tmp_path: Path) -> None:
    assert refusal(striate("train", "--resume", tmp_path)) == (
        f"`--resume`: expected the folder of a run; got {tmp_path}, which has no recipe.toml."
    )


def test_resume_with_another_rate(striate: Striate, finished: RunFolder) -> None:
    assert refusal(striate("train", "--resume", finished.path, "--lr", "5")).startswith(
        "resume: expected `lr` as the run began, 0.01; got 5.0. "
    )


def test_a_recipe_file_that_is_not_there(striate: Striate, tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    expected = f"recipe {path}: cannot be read: No such file or directory."
    assert refusal(striate("train", "DATA", "--recipe", path)) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[training]\nepoch = 3", "unknown key `epoch` under [training]. Did you mean `epochs`?"),
        ("[training]\nepochs = 0", "`epochs`: expected a whole number from 1 to 1,000,000; got 0."),
        ("[training]\nlr = 1\nlr = 2\n", "expected TOML; Cannot overwrite a value (at line 3, column 7)."),
    ],
)
def test_a_recipe_file_that_is_wrong(striate: Striate, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    found = refusal(striate("train", "DATA", "--recipe", tmp_path / "a.toml"))
    assert found == f"recipe {tmp_path / 'a.toml'}: {sentence}"


def test_an_unknown_network(striate: Striate, two_classes: Path) -> None:
    sentence = "`lenet55`: expected the name of a net. Did you mean `lenet5`?"
    assert refusal(striate("train", two_classes, "--model", "lenet55")) == sentence


def test_data_that_is_not_there(striate: Striate, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert striate("train", path) == (
        3,
        "",
        f"striate: data: expected a folder, CSV, JSON or Parquet file; got {path}, which does not exist.\n",
    )


def test_an_empty_folder(striate: Striate, tmp_path: Path) -> None:
    assert striate("train", tmp_path) == (
        3,
        "",
        f"striate: data: expected images with labels in {tmp_path}; got no image and no labels. Put the images of each "
        "class into a folder of its own, or give a CSV of path and label; see docs/data.md.\n",
    )


def test_too_many_bad_images(striate: Striate, write_pictures: WritePictures, tmp_path: Path) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 5, "light": 5})
    (data / "dark" / "00.png").write_bytes(b"")
    code, _, err = striate("train", data, *TINY, "-o", tmp_path / "run")
    assert code == 3
    assert "striate: data: expected at most 1.0% unreadable images; got 1 of 10 (10.0%). " in err
    assert "dark/00.png,no,the file is empty,unreadable" in (tmp_path / "run" / "check.csv").read_text().splitlines()


def test_a_loss_that_is_no_number(striate: Striate, two_classes: Path, tmp_path: Path) -> None:
    words = ("--opt", "sgd", "--lr", "1e30", "--warmup-epochs", 0, "-o", tmp_path / "run")
    code, _, err = striate("train", two_classes, *TINY, *words)
    assert code == 1
    assert "striate: step 1: expected a finite loss; got " in err


def test_a_run_that_is_interrupted(
    striate: Striate, two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("striate.training.loop.clock", interrupt)
        code, _, err = striate("train", two_classes, *TINY, "-o", tmp_path / "run")
    assert code == 130
    assert err.endswith("striate: interrupted. Try it again; a training goes on with `striate train --resume RUN`.\n")
    assert striate("train", "--resume", tmp_path / "run")[0] == 0


def test_a_model_file_is_where_another_begins(
    striate: Striate, finished: RunFolder, two_classes: Path, tmp_path: Path
) -> None:
    machine = ("--device", "cpu", "--precision", "float32", "-j", 1)
    code, out, err = striate("train", two_classes, "--weights", finished.model, *machine, "-o", tmp_path / "run")
    assert (code, out) == (0, "")
    assert "of which 170 learn" in err
    assert load(tmp_path / "run" / "model.safetensors").metrics["accuracy"] == 1
    code, _, err = striate("train", "--resume", tmp_path / "run", "-j", 1)
    assert code == 0
    assert " 0 computed, 32 from the cache" in err


def test_freezing_asks_for_weights(striate: Striate, two_classes: Path) -> None:
    sentence = "`freeze`: expected `--weights` beside it; got none."
    assert striate("train", two_classes, "--weights", "none", "--freeze", "all") == (2, "", f"striate: {sentence}\n")
