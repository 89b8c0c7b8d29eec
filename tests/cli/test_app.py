import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from cyclopts import CycloptsError

import striate as package
from striate.cli import app as app_module
from striate.cli.app import main, verdict
from striate.errors import DataError, ModelFileError, SizeError, StriateError, TrainingError, UsageError

Striate = Callable[..., tuple[int, str, str]]
VERBS = ("demo", "inspect", "train", "evaluate", "predict", "weights")


def sentence(err: str) -> str:
    """What one line on standard error says."""
    assert err.startswith("striate: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err[len("striate: ") : -1]


def test_without_words_the_verbs_are_listed(striate: Striate) -> None:
    code, out, err = striate()
    assert code == 0
    assert err == ""
    for verb in VERBS:
        assert re.search(rf"│ {verb}\b", out), verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(striate: Striate, verb: str) -> None:
    code, out, err = striate(verb, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: striate {verb}" in out
    assert ("Commands" if verb == "weights" else "Parameters") in out


def test_the_help_names_the_exit_codes(striate: Striate) -> None:
    text = " ".join(striate("--help")[1].split())
    assert "0 done, 1 failed, 2 misuse, 3 the data did not pass its checks, 130 interrupted" in text


def test_version(striate: Striate) -> None:
    assert striate("--version") == (0, f"{package.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["trian"], 'Unknown command "trian". Did you mean "train"?'),
        (["train", "DATA", "--epoch", "3"], "Unknown option: --epoch. Did you mean --epochs?"),
        (["train", "DATA", "--epochs", "x"], 'Invalid value for --epochs: unable to convert "x" into int.'),
        (["train", "DATA", "--opt", "sdg"], 'Invalid value "sdg" for --opt.'),
        (["train", "DATA", "--opt", "sdg"], 'Did you mean "sgd"?'),
        (["train", "a", "b"], "Unused Tokens: ['b']."),
        (["evaluate"], 'Command "evaluate" parameter MODEL requires an argument.'),
        (["evaluate", "MODEL"], 'Command "evaluate" parameter DATA requires an argument.'),
        (["evaluate", "MODEL", "DATA", "--split", "tset"], 'Invalid value "tset" for --split.'),
        (
            ["evaluate", "MODEL", "DATA", "--batch-size", "0"],
            'Invalid value "0" for --batch-size. Expected a whole number from 1 to 1,000,000.',
        ),
        (
            ["evaluate", "MODEL", "DATA", "--workers", "-1"],
            'Invalid value "-1" for --workers. Expected a whole number from 1 to 1,024.',
        ),
        (
            ["predict", "MODEL", "A", "--batch-size", "0"],
            'Invalid value "0" for --batch-size. Expected a whole number from 1 to 1,000,000.',
        ),
        (["predict", "MODEL", "A", "-j", "0"], 'Invalid value "0" for -j. Expected a whole number from 1 to 1,024.'),
        (["predict", "MODEL", "A", "--top-k", "0"], 'Invalid value "0" for --top-k. Must be >= 1.'),
    ],
)
def test_misuse_is_one_sentence_and_code_2(striate: Striate, words: list[str], found: str) -> None:
    code, out, err = striate(*words)
    assert (code, out) == (2, "")
    assert found in sentence(err)
    assert sentence(err).endswith("See `striate --help`.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "DATA", "--epochs", "0"], "`epochs`: expected a whole number from 1 to 1,000,000; got 0."),
        (["train", "DATA", "--crop-pct", "2"], "`crop_pct`: expected a number above 0, up to 1; got 2.0."),
        (
            ["train", "DATA", "--opt", "nesterov", "--momentum", "0"],
            "`momentum`: expected above 0 with nesterov; got 0.0.",
        ),
    ],
)
def test_a_value_out_of_range_is_misuse(striate: Striate, words: list[str], expected: str) -> None:
    code, out, err = striate(*words)
    assert (code, out, sentence(err)) == (2, "", expected)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (StriateError("why"), 1, "why"),
        (UsageError("why"), 2, "why"),
        (SizeError("why"), 2, "why"),
        (DataError("why"), 3, "why"),
        (ModelFileError("why"), 1, "why"),
        (TrainingError("why"), 1, "why"),
        (CycloptsError(msg="why"), 2, "why See `striate --help`."),
        (
            KeyboardInterrupt(),
            130,
            "interrupted. Try it again; a training goes on with `striate train --resume RUN`.",
        ),
        (MemoryError(), 1, "out of memory. Try a smaller --batch-size or --img-size."),
        (RuntimeError("CUDA out of memory."), 1, "out of memory. Try a smaller --batch-size or --img-size."),
        (OSError(28, "No space left on device", "a.csv"), 1, "a.csv: No space left on device."),
        (OSError(28, "No space left on device"), 1, "No space left on device."),
    ],
)
def test_every_failure_has_a_code_and_a_sentence(
    striate: Striate, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    assert verdict(error) == (code, text)

    def fail(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(app_module, "app", fail)
    assert striate("train") == (code, "", f"striate: {text}\n")


def test_a_pipe_that_nobody_reads_any_more_is_worth_no_word() -> None:
    assert verdict(BrokenPipeError(32, "Broken pipe")) == (1, "")


def test_an_error_of_ours_that_nobody_foresaw_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(app_module, "app", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["train"])


def test_a_sentence_is_printed_as_it_is(striate: Striate) -> None:
    name = "a[red]:smile:" + "very_long_name_" * 10
    code, _, err = striate("train", name)
    assert code == 3
    assert sentence(err) == f"data: expected a folder, CSV, JSON or Parquet file; got {name}, which does not exist."


@pytest.mark.parametrize("words", [("--debug", "train", "none"), ("train", "none", "--debug")])
def test_debug_anywhere_adds_the_traceback(striate: Striate, words: tuple[str, ...]) -> None:
    code, _, err = striate(*words)
    plain = striate(*(word for word in words if word != "--debug"))
    assert code == 3
    assert err.startswith("Traceback (most recent call last):\n")
    assert "striate.errors.DataError: " in err
    assert plain[0] == 3
    assert err.endswith(f"\n{plain[2]}")
    assert "Traceback" not in plain[2]


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from striate.cli.app import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: print(sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1]
    assert "'striate'" in loaded
    for name in ("torch", "numpy", "pyarrow", "sklearn", "scipy", "matplotlib", "PIL", "safetensors"):
        assert f"'{name}'" not in loaded, name


def test_what_imports_make_is_not_searched_for_garbage() -> None:
    code = (
        "import gc, sys\n"
        "from striate.cli.app import main\n"
        "try: main(['train', 'none'])\n"
        "except SystemExit: print('torch' in sys.modules, gc.get_stats()[2]['collections'])\n"
    )
    assert python("-c", code).stdout == "True 0\n"


def test_the_package_runs_as_a_module() -> None:
    done = python("-m", "striate", "trian")
    assert done.returncode == 2
    assert done.stdout == ""
    assert 'Did you mean "train"?' in sentence(done.stderr)
