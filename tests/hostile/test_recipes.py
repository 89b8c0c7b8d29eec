"""Recipes and flags made to hurt: each is refused in one sentence, before any data are read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Refusal = Callable[..., str]


RECIPES = {
    "epochs without end": ("[training]\nepochs = 1" + "0" * 30, "`epochs`: expected a whole number from 1 to"),
    "views without end": ("[transfer]\nweights = 'a'\nviews = 1000000000", "`views`: expected a whole number from 0"),
    "a mean of 10^5 numbers": ("[data]\nmean = [" + "0.5,\n" * 10**5 + "]", "`mean`: expected 1 to 512 values, each"),
    "a mean of 10^5 numbers in a line": ("[data]\nmean = [" + "0.5, " * 10**5 + "]", "got 100,000 dots in a line"),
    "a warm-up without end": ("[training]\nwarmup_epochs = inf", "`warmup_epochs`: expected a number from 0 to"),
    "a rate that is no number": ("[training]\nlr = nan", "`lr`: expected a number above 0, up to 1e+38; got nan."),
    "a number of 5,000 digits": ("[training]\nepochs = " + "9" * 5000, "expected TOML; Exceeds the limit"),
    "a key of 100,000 parts": ("a" + ".a" * 10**5 + " = 1", "expected TOML; expected keys and lines of a few parts"),
    "a table of 100,000 parts": ("[a" + ".a" * 10**5 + "]", "expected TOML; expected keys and lines of a few parts"),
    "an array of 100,000 levels": ("a = " + "[" * 10**5, "expected TOML; expected tables and arrays a few levels deep"),
    "a table that is a number": ("training = 3", "`training`: expected a table; got 3."),
    "a text of a megabyte": ("[network]\nmodel = '" + "a" * 900_000 + "'", "expected the name of a net"),
    "a key of escapes": ('[training]\n"\\u001b[2J" = 1', "unknown key `\\x1b[2J`"),
    "an argument of another type": ("[network.model_args]\nx = [1]", "`model_args`: expected bool | int | float | str"),
    "an argument without end": (
        "[network.model_args]\nhidden = 1" + "0" * 40 + "\nhead = 'mlp'",
        "`hidden`: expected a",
    ),
    "a side without end": ("[data]\nimg_size = 1" + "0" * 30, "`img_size`: expected a number of pixels"),
    "an image of a gigabyte": ("[data]\nimg_size = 16384", "`img_size`: expected at most 16,777,216 pixels"),
    "bytes that are no text": ("\udcff\udcfe", "expected TOML; 'utf-8' codec can't decode"),
    "zero bytes": ("\0" * 1000, "expected TOML; "),
}


@pytest.mark.parametrize(("text", "sentence"), RECIPES.values(), ids=RECIPES.keys())
def test_what_a_recipe_says(tmp_path: Path, refusal: Refusal, text: str, sentence: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert sentence in refusal("train", tmp_path, "--recipe", path, code=2)


FLAGS = {
    "epochs without end": (["--epochs", "1" + "0" * 30], "`epochs`: expected a whole number from 1 to 1,000,000"),
    "a number of 5,000 digits": (["--epochs", "9" * 5000], "--epochs"),
    "a rate that is infinite": (["--lr", "inf"], "`lr`: expected a number above 0"),
    "a mean of 10^4 numbers": (
        ["--mean", *["0.5"] * 10**4],
        "parameter --mean accepts at most 512 elements. Got 10000.",
    ),
    "threads without end": (["--workers", "1000000"], "`workers`: expected a whole number from 1 to 1,024"),
    "a key of 10^4 parts": (["--model-args" + ".a" * 10**4, "1"], "Dictionary of tokens"),
    "a network of escapes": (["--model", "\x1b[2J"], "expected the name of a net"),
}


@pytest.mark.parametrize(("words", "sentence"), FLAGS.values(), ids=FLAGS.keys())
def test_what_a_flag_says(tmp_path: Path, refusal: Refusal, words: list[str], sentence: str) -> None:
    assert sentence in refusal("train", tmp_path, *words, code=2)


@pytest.mark.parametrize("verb", ["check", "evaluate", "predict", "augment", "plan"])
def test_flags_of_other_verbs_have_the_ranges_of_the_recipe(tmp_path: Path, refusal: Refusal, verb: str) -> None:
    flag = {"augment": "--count", "plan": "--images"}.get(verb, "--workers")
    model = [tmp_path / "model.safetensors"] if verb in ("evaluate", "predict") else []
    sentence = refusal(verb, *model, tmp_path, flag, "1000000000", code=2)
    assert sentence.startswith(f'Invalid value "1000000000" for {flag}. ')


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_recipe_that_is_a_pipe_holds_nobody(tmp_path: Path, refusal: Refusal) -> None:
    os.mkfifo(tmp_path / "recipe.toml")
    assert "expected a regular file; got a named pipe" in refusal(
        "train", tmp_path, "--recipe", tmp_path / "recipe.toml"
    )
    (tmp_path / "index.parquet").touch()
    assert "a named pipe" in refusal("train", "--resume", tmp_path)
