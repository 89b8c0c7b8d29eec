"""striate evaluate: how good a model is, with an interval."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import READING, RUNNING, JsonOutput, Reading, Running
from striate.files import json_text

if TYPE_CHECKING:
    from striate.evaluation import Evaluation

MANY_CLASSES = 20  # of which the worst alone are printed
WORST = 10
CONFUSED = 5  # pairs of classes that are printed


def evaluate(
    model: Path,
    data: Path,
    /,
    *,
    split: Literal["auto", "train", "val", "test", "all"] = "auto",
    mirror: Annotated[bool, Parameter(negative="")] = False,
    abstain_at: Annotated[float | None, Parameter(validator=Number(gt=0, lt=1))] = None,
    json_output: JsonOutput = False,
    reading: Reading = READING,
    running: Running = RUNNING,
) -> None:
    """Score a model on labelled images, with a 95 % interval.

    Args:
        model: Model file.
        data: Images with labels, as for `striate train`; classes are matched by name.
        split: Part of the data; `auto` takes test, else val, else all.
        mirror: Answer by the mean over each image and its mirror image; twice the time.
        abstain_at: Wanted accuracy, such as 0.99: find the probability from which on answers are right so often.
    """
    from striate.device import keep_memory
    from striate.evaluation import evaluate as score
    from striate.pretrained import load

    keep_memory()
    loaded = load(model, device=running.device, precision=running.precision)
    index = reading.index(data)
    result = score(loaded, index, split, running.batch_size, running.workers, mirrored=mirror)
    if json_output:
        found = result.abstention(abstain_at) if abstain_at is not None else None
        plain = result.to_dict() | ({"abstention": found.to_dict()} if found is not None else {})
        print(json_text(plain, indent=2))
        return
    _print_text(result, index.notes[0], abstain_at)


def _print_text(result: "Evaluation", read_as: str, abstain_at: float | None) -> None:
    """Prints what the data was read as, the scores with their intervals, what was left out, and a row a class."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from striate.evaluation.classes import confused_pairs

    console = Console()
    console.print(read_as, markup=False, highlight=False, soft_wrap=True)
    metrics = dict(result.metrics)
    console.print(f"{result.split}: {metrics.pop('count'):,} images ({result.why})", highlight=False, soft_wrap=True)
    bounds = {f"{name}{end}" for name in metrics for end in ("_low", "_high")}
    for name, value in metrics.items():
        if name not in bounds:
            low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
            interval = f", 95 % interval {low:.4f} to {high:.4f}" if low is not None and high is not None else ""
            console.print(f"{name.replace('_', ' ')} {value:.4f}{interval}", highlight=False)
    for line in _beliefs(result, abstain_at):
        console.print(line, highlight=False, soft_wrap=True)
    for line in result.unreadable:
        console.print(f"left out: {line}", markup=False, highlight=False, soft_wrap=True)
    if result.confusion is not None:
        table = Table("class", *(title for title in ("images", "precision", "recall")))
        rows = [(name, row) for name, row in result.per_class().items() if row["count"]]
        if len(rows) > MANY_CLASSES:
            rows = sorted(rows, key=lambda each: each[1]["recall"])[:WORST]
            console.print(f"the {WORST} classes of lowest recall; --json has all", highlight=False)
        for name, row in rows:
            table.add_row(escape(name), f"{row['count']:,.0f}", f"{row['precision']:.3f}", f"{row['recall']:.3f}")
        console.print(table)
        for pair in confused_pairs(result.confusion, result.classes, CONFUSED):
            text = f"taken for {pair.answer}: {pair.count:,} of {pair.truth}, {pair.share:.3f}"
            console.print(text, markup=False, highlight=False, soft_wrap=True)


def _beliefs(result: "Evaluation", abstain_at: float | None) -> list[str]:
    """How far probabilities can be believed, and which answers to leave to a person."""
    from striate.evaluation.calibration import calibration_error

    if result.graded is None:
        return []
    error = calibration_error(result.graded.confidence, result.graded.hits, result.resampling)
    lines = [f"calibration error {error.value:.4f}, 95 % interval {error.low:.4f} to {error.high:.4f}"]
    found = result.abstention(abstain_at) if abstain_at is not None else None
    if found is None:
        return lines
    if not found.accuracy.value >= 0:
        return [*lines, f"no threshold of probability keeps an accuracy of {abstain_at} on these images"]
    lines.append(
        f"accuracy {abstain_at} or more from probability {found.threshold.value:.4f} on: answers "
        f"{found.answered:.3f} of the images, {found.accuracy:.4f} of them right"
    )
    if found.guaranteed >= 0:
        lines.append(
            f"on new images like these, with 95 % confidence, from probability {found.guaranteed:.4f} on, which "
            f"answers {found.guaranteed_share:.3f}"
        )
    return lines
