"""striate evaluate: how good a model is, with an interval."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import LOOKING, READING, RUNNING, JsonOutput, Looking, Reading, Running
from striate.console import say

if TYPE_CHECKING:
    from rich.table import Table

    from striate.data.crops import Viewing
    from striate.evaluation import Evaluation
    from striate.evaluation.gain import Gain
    from striate.evaluation.selective import Abstention
    from striate.model import Model

MANY_CLASSES = 20  # of which the worst alone are printed
WORST = 10
WHOLE_WIDTH = 72  # characters: narrower terminals have no room for names beside scores with intervals in one line
CONFUSED = 5  # pairs of classes that are printed


def evaluate(
    model: Path,
    data: Path,
    /,
    *,
    split: Literal["auto", "train", "val", "test", "all"] = "auto",
    abstain_at: Annotated[float | None, Parameter(validator=Number(gt=0, lt=1))] = None,
    group: str = "",
    slice_by: Annotated[tuple[str, ...], Parameter(name="--slice", negative="")] = (),
    table: Path | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    gain: bool = True,
    json_output: JsonOutput = False,
    reading: Reading = READING,
    looking: Looking = LOOKING,
    running: Running = RUNNING,
) -> None:
    """Score a model on labelled images, with a 95 % interval.

    Args:
        model: Model file.
        data: Images with labels, as for `striate train`; classes are matched by name.
        split: Part of the data; `auto` takes test, else val, else all.
        abstain_at: Wanted accuracy, such as 0.99: find the probability from which on answers are right so often.
        group: Column whose values say which images belong together, such as a patient or a day, and count as one.
        slice_by: Column by whose values the images are looked at in parts; may be given several times.
        table: File with these columns beside paths of the images, where DATA is not it.
        output: Folder to write evaluation.json, predictions.csv, confusion.png and mistakes.png to.
        gain: Say what several views of each image, or the members of an ensemble, gain over one and cost beside it,
            for which that one is evaluated too.
    """
    from striate.console import Reporter
    from striate.data.columns import values_of
    from striate.device import keep_memory
    from striate.evaluation import evaluate as score
    from striate.evaluation import summarise
    from striate.pretrained import load
    from striate.report.evaluation_files import evaluation_folder, write_evaluation

    keep_memory()
    loaded = load(model, device=running.device, precision=running.precision)
    index = reading.index(data)
    folder = evaluation_folder(output) if output is not None else None
    names = dict.fromkeys(([group] if group else []) + list(slice_by))
    values = values_of(index, list(names), table or data, reading.path_column) if names else []
    told = Reporter().counting
    scored = score(loaded, index, split, running.batch_size, running.workers, looking.viewing, told)
    plain, over = _plainer(loaded, looking.viewing) if gain else ([], "")
    plainer = [score(each, index, scored.split, running.batch_size, running.workers) for each in plain]
    columns = {name: scored.column(name, each) for name, each in zip(names, values, strict=True)}
    found = summarise(
        scored,
        group=columns.get(group),
        slice_by=[columns[name] for name in dict.fromkeys(slice_by)],
        abstain_at=abstain_at,
        plainer=plainer,
        over=over,
    )
    files = write_evaluation(scored, found, folder) if folder is not None else []
    if json_output:
        print(found.to_json())
        return
    _print_text(found)
    for file in files:
        say(f"wrote {file}")


def _plainer(model: "Model", viewing: "Viewing") -> tuple[list["Model"], str]:
    """What an evaluation is set beside, one view of each image or each member of an ensemble, and its name."""
    from striate.data.crops import ONCE
    from striate.ensemble import members_of

    if viewing != ONCE:
        return [model], "one view of each image"
    members = members_of(model)
    return members, f"the mean of its {len(members)} members"


def _print_text(found: "Evaluation") -> None:
    """Prints what the data was read as, the scores with their intervals, what was left out, and a row a class."""
    from striate.console import Page
    from striate.files import list_names

    console = Page(highlight=False, markup=False, emoji=False)
    for line in _lines(found):
        console.print(line, soft_wrap=True)
    wraps = console.width < WHOLE_WIDTH
    if found.slices:
        console.print(_slice_table(found, wraps=wraps))
    if not found.per_class:
        return
    table = _class_table(found, wraps=wraps)
    if len(found.classes) > MANY_CLASSES:
        console.print(f"the {WORST} classes of lowest recall; --json has all")
    console.print(table)
    if unseen := [row.name for row in found.per_class if not row.count]:
        console.print(f"no image of {list_names(unseen)}, so that the scores say nothing of that", soft_wrap=True)
    of_class = {row.name: row.count for row in found.per_class}
    for pair in found.confused[:CONFUSED]:
        taken = f"{pair.count:,} of its {of_class[pair.truth]:,} images, {pair.share:.3f}"
        console.print(f"{pair.truth} taken for {pair.answer}: {taken}", soft_wrap=True)


def _lines(found: "Evaluation") -> list[str]:
    from striate.report.metrics import about, rate

    lines = [found.read_as] if found.read_as else []
    together = f", {found.groups:,} groups by {found.group}" if found.group else ""
    lines.append(f"{found.split}: {found.count:,} images{together} ({found.why})")
    for name, metric in found.metrics.items():
        interval = f", 95 % interval {metric.low:.4f} to {metric.high:.4f}" if metric.method else ""
        value = f"{metric.value:,.0f}" if about(name).is_count else f"{metric.value:.4f}"
        lines.append(f"{about(name).within} {value}{interval}")
    if found.calibration is not None:
        error = found.calibration.error
        lines.append(f"calibration error {error.value:.4f}, 95 % interval {error.low:.4f} to {error.high:.4f}")
    if found.abstention is not None:
        lines += _abstention(found.abstention)
    if found.gain is not None:
        lines.append(_gain(found.gain, found.score))
    lines.append(f"{found.seconds:.1f} s, {rate(found.images_per_second)} on {found.device}")
    return [*lines, *(f"left out: {line}" for line in found.unreadable)]


def _gain(found: "Gain", score: str) -> str:
    """What several views or members gain, beside what they cost."""
    name = "accuracy" if score == "accuracy" else "score of an image"
    loss = f", loss {found.loss:+z.4f}" if found.loss.value == found.loss.value else ""
    more = f" and {found.parameters:.1f} times the parameters" if found.parameters != 1 else ""
    return f"over {found.over}: {name} {found.score:+z.4f}{loss}, for {found.times:.1f} times the time{more}"


def _abstention(found: "Abstention") -> list[str]:
    """Which answers to leave to a person."""
    if not found.accuracy.value >= 0:
        return [f"no threshold of probability keeps an accuracy of {found.wanted} on these images"]
    lines = [
        f"accuracy {found.wanted} or more from probability {found.threshold.value:.4f} on: answers "
        f"{found.answered:.3f} of the images, {found.accuracy:.4f} of them right"
    ]
    if found.guaranteed >= 0:
        lines.append(
            f"on new images like these, with 95 % confidence, from probability {found.guaranteed:.4f} on, which "
            f"answers {found.guaranteed_share:.3f}"
        )
    return lines


def _slice_table(found: "Evaluation", *, wraps: bool) -> "Table":
    """A row for each part of the images; a star marks one that differs from the rest by more than chance.

    Args:
        found: with slices.
        wraps: whether intervals may stand below their scores, so that names have room.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("column", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("value", overflow="fold")
    for title in ("images", "score", "the rest", "p"):
        table.add_column(title, justify="right", no_wrap=not wraps, overflow="fold")
    for part in found.slices:
        p = f"{part.p:.3f}{'*' if part.differs else ' '}"
        table.add_row(part.column, part.value, f"{part.count:,}", f"{part.score:.2f}", f"{part.rest:.2f}", p)
    return table


def _class_table(found: "Evaluation", *, wraps: bool) -> "Table":
    """A row for each class that has images, or for those of lowest recall; arguments as of `_slice_table`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("class", overflow="fold")  # a name is never cut
    for title in ("images", "precision", "recall", "F1"):
        table.add_column(title, justify="right", no_wrap=not wraps, overflow="fold")
    rows = [row for row in found.per_class if row.count]
    if len(rows) > MANY_CLASSES:
        rows = sorted(rows, key=lambda row: row.recall.value)[:WORST]
    for row in rows:
        scores = (f"{score:.2f}" for score in (row.precision, row.recall, row.f1))
        table.add_row(row.name, f"{row.count:,}", *scores)
    return table
