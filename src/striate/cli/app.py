"""The command `striate`, its verbs, and what becomes of a failure.

Exit codes: 0 done; 1 failed; 2 misuse; 3 the data did not pass its checks; 130 interrupted;
143 told to end (SIGTERM).
"""

import gc
import io
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from striate import __version__
from striate.cli.augment import augment, values_from_tables
from striate.cli.bench import bench
from striate.cli.check import check
from striate.cli.compare import compare
from striate.cli.demo import demo
from striate.cli.ensemble import ensemble
from striate.cli.evaluate import evaluate
from striate.cli.explain import explain
from striate.cli.filter import filter_image
from striate.cli.flags import values_from_recipe
from striate.cli.inspect import inspect
from striate.cli.plan import plan
from striate.cli.predict import predict
from striate.cli.report import report
from striate.cli.study import study
from striate.cli.train import train, values_from_file
from striate.cli.weights import weights
from striate.errors import StriateError
from striate.files import fit_to_print

FAILED, MISUSE, INTERRUPTED = 1, 2, 130
DEBUG_LENGTH = 2000  # characters of a line of a traceback
COLLECT_AFTER = 50_000  # new objects; of PyTorch's import 350,000 stay, and the default looks at them every 700

app = App(
    name="striate",
    help="Turns a folder of images into a convolutional network that you can trust, explain and ship.",
    help_epilogue="Exit codes: 0 done, 1 failed, 2 misuse, 3 the data did not pass its checks, 130 interrupted, "
    "143 told to end (SIGTERM). "
    "`--debug` anywhere adds the traceback of a failure.",
    help_format="markdown",
    default_parameter=Parameter(negative_iterable=""),
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # it is told below
)
app.command(demo, sort_key=1)
app.command(check, sort_key=2)
app.command(inspect, sort_key=2)
app.command(plan, sort_key=3, config=values_from_recipe())
app.command(augment, sort_key=3, config=values_from_tables)
app.command(train, sort_key=3, config=values_from_file)
app.command(evaluate, sort_key=4)
app.command(compare, sort_key=4)
app.command(ensemble, sort_key=4)
app.command(report, sort_key=4)
app.command(explain, sort_key=5)
app.command(filter_image, name="filter", sort_key=6)
app.command(predict, sort_key=5)
app.command(weights)
app.command(study, sort_key=6)
app.command(bench, sort_key=6)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command line and leaves with its exit code.

    Args:
        arguments: the words after `striate`; those of this process unless given.
    """
    gc.set_threshold(COLLECT_AFTER)
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    _open_streams()
    words = [word for word in words if word != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that its encoding lacks is shown by escapes
            stream.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of metadata that no image needs
    warnings.filterwarnings("ignore", message=r"Glyph \d+ ")  # that the font of figures lacks
    warnings.formatwarning = _warning
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # of a home that it cannot write, which figures do not need
    try:
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except (StriateError, CycloptsError, KeyboardInterrupt, MemoryError, OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not (_is_link_to_itself(error) or _is_out_of_memory(error)):
            raise
        if debug:
            for line in traceback.format_exc().splitlines():
                print(fit_to_print(line, DEBUG_LENGTH), file=sys.stderr)
        code, sentence = verdict(error)
        if sentence:
            console = Console(stderr=True, markup=False, emoji=False, highlight=False)
            console.print(fit_to_print(f"striate: {sentence}"), soft_wrap=True)
        sys.exit(code)
    sys.exit(0)


def _open_streams() -> None:
    """Lets a standard stream that was closed before this process began (`>&-`) lead nowhere.

    Else the next file that is opened would take its number, and get what a library prints.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
            setattr(sys, name, stream)
            try:
                os.fstat(number)
            except OSError:  # it is not taken yet
                os.dup2(stream.fileno(), number)


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A line for a warning of a library, which may hold text from outside."""
    return fit_to_print(f"{category.__name__}: {message}") + "\n"


def verdict(error: BaseException) -> tuple[int, str]:
    """The exit code of a failure and the sentence that tells it."""
    match error:
        case StriateError():
            return error.exit_code, str(error)
        case CycloptsError():
            return MISUSE, f"{error} See `striate --help`."
        case KeyboardInterrupt():
            sentence = str(error) or "interrupted. Try it again; a training goes on with `striate train --resume RUN`."
            return getattr(error, "exit_code", INTERRUPTED), sentence  # a run that saved itself says how it goes on
        case MemoryError() | RuntimeError() if not _is_link_to_itself(error):
            return FAILED, "out of memory. Try a smaller --batch-size or --img-size."
        case BrokenPipeError():  # `| head`: the reader has enough
            return FAILED, ""
    named, reason = getattr(error, "filename", None), getattr(error, "strerror", None) or error
    return FAILED, f"{named}: {reason}." if named else f"{reason}."


def _is_link_to_itself(error: BaseException) -> bool:
    """Whether `Path.resolve` raised it, on a link that leads to itself."""
    return str(error).startswith("Symlink loop")


def _is_out_of_memory(error: RuntimeError) -> bool:
    from striate.training.memory import is_out_of_memory  # imports PyTorch, which raised the error

    return is_out_of_memory(error)
