"""striate report: how good a model is, where it fails and what would help, on one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from striate.cli.flags import READING, RUNNING, Reading, Running, require_apart
from striate.console import say
from striate.errors import UsageError

if TYPE_CHECKING:
    from striate.training import RunFolder


def report(
    run_or_model: Path,
    data: Path | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    card: Path | None = None,
    split: Literal["auto", "train", "val", "test", "all"] = "auto",
    reading: Reading = READING,
    running: Running = RUNNING,
) -> None:
    """Write how good a model is, how sure that is, where it fails and what would help, as one HTML page.

    Every training ends with such a page, report.html in its run folder, and a model card beside it, README.md. This
    writes both again, or a page of a model on other images. The page needs no network access and no script.

    Args:
        run_or_model: Run folder, or model file.
        data: Images with labels to score the model on; those of the run unless given.
        output: HTML file to write; report.html, in the run folder if its own images are scored, unless given.
        card: Model card to write; README.md in the run folder if its own images are scored, else none, unless given.
        split: Part of the data; `auto` takes test, else val, else all.
    """
    from striate.console import Reporter
    from striate.data.index_file import load_index
    from striate.device import keep_memory
    from striate.pretrained import load
    from striate.report.write import write_report

    run = _run_of(run_or_model)
    if run is None and data is None:
        raise UsageError(
            f"RUN_OR_MODEL: expected a run folder, or a model with DATA to score it on; got {run_or_model} alone"
            f"{'' if run_or_model.exists() else ', which does not exist'}."
        )
    own = run is not None and data is None
    target = output or (run.report if run is not None and own else Path("report.html"))
    if card is None and own and run is not None and output is None:
        card = run.card
    for name, path in (("--output", target), ("--card", card)):
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"`{name}`: expected a file in a folder that exists; got {path}.")
    keep_memory()
    file = run.model if run is not None else run_or_model
    kept = [path for path in run.path.iterdir() if path.suffix not in (".html", ".md")] if run is not None else []
    for name, path in (("--output", target), ("--card", card)):
        if path is not None:
            require_apart(name, path, [file, data, *kept])
    model = load(file, device=running.device, precision=running.precision)
    index = load_index(run.index) if run is not None and data is None else reading.index(data or Path())
    write_report(
        model,
        index,
        file,
        run if own else None,
        page=target,
        card=card,
        split=split,
        batch_size=running.batch_size,
        workers=running.workers,
        progress=Reporter().counting,
    )
    for path in (target, card):
        if path is not None:
            say(f"wrote {path}")


def _run_of(path: Path) -> "RunFolder | None":
    """The run folder that a path names, also by its model; None for a model of no run.

    Raises:
        UsageError: if the path is a folder, and none of a run that has a model.
    """
    from striate.training import RunFolder

    run = RunFolder(path if path.is_dir() else path.parent)
    whole = run.recipe.exists() and run.index.exists() and run.model.exists()
    if path.is_dir() and not whole:
        raise UsageError(f"RUN_OR_MODEL: expected the folder of a run that has a model, or a model file; got {path}.")
    return run if whole and (path.is_dir() or path == run.model) else None
