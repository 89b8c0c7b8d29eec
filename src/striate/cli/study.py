"""striate study: claims of the course notes as experiments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import JsonOutput
from striate.errors import UsageError
from striate.files import json_text

if TYPE_CHECKING:
    from striate.console import Page
    from striate.studies import Result, Study

COLOURS = {
    "holds": "green",
    "holds with a condition": "yellow",
    "does not hold here": "red",
    "cannot be told": "dim",
}
WIDE = 110  # columns of a terminal from which on there is room for what decides


def study(
    name: str | None = None,
    /,
    *,
    minutes: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    seeds: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    data: Path | None = None,
    output: Annotated[Path, Parameter(alias="-o")] = Path("runs/studies"),
    every: Annotated[bool, Parameter(name="--all", negative="")] = False,
    json_output: JsonOutput = False,
) -> None:
    """List the claims of the course notes with their verdicts, or run one and write its page.

    Without NAME it lists what was found when striate was made. With NAME it runs that study and writes NAME.md,
    NAME.svg and NAME.json.

    Args:
        name: Study to run.
        minutes: Time for it: with less there are fewer seeds, with more there are more, and then longer trainings.
        seeds: Seeds to run; the study's own number unless given.
        data: Images, for studies that need more than scikit-learn's digits: a data set, or a folder of data sets.
            Without it, a study that has digits too runs on these alone.
        output: Folder for what is written.
        every: Run all studies; those that the folder has, made by the same code, are skipped.
    """
    if name is not None and every:
        raise UsageError(f"`--all`: expected no name beside it; got {name}. Try one of the two.")
    if name is not None:
        _run(name, minutes, seeds, data, output, json_output)
    elif every:
        _run_all(minutes, seeds, data, output, json_output)
    else:
        _list(json_output)


def _run(name: str, minutes: float | None, seeds: int | None, data: Path | None, output: Path, as_json: bool) -> None:
    from striate.console import Page
    from striate.studies import study_named

    found = study_named(name)
    result = _made(found, minutes, seeds, data, output)
    if as_json:
        print(json_text(_plain(found, result), indent=2))
        return
    console = Page(highlight=False)
    _print_verdict(console, found, result)
    console.print(f"page: {output / name}.md, figure: {output / name}.svg", soft_wrap=True, markup=False)


def _made(study: "Study", minutes: float | None, seeds: int | None, data: Path | None, output: Path) -> "Result":
    """Runs a study and writes its files."""
    from striate.console import Reporter
    from striate.studies import published, run, write_page
    from striate.studies.runner import plan

    before = published(study.name)
    share = 1 - len(study.left_out(data)) / len(study.arms)
    needs = share * before.seconds / 60 * study.seeds / len(before.seeds) / before.scale if before else None
    result = run(study, data, plan(study, minutes, seeds, needs), Reporter())
    output.mkdir(parents=True, exist_ok=True)
    result.write(output)
    write_page(study, result, output)
    return result


def _run_all(minutes: float | None, seeds: int | None, data: Path | None, output: Path, as_json: bool) -> None:
    from striate.console import Reporter, clock
    from striate.studies import names, study_named

    reporter, every = Reporter(), names()
    share = minutes / len(every) if minutes is not None else None
    results = {name: there for name in every if (there := _kept(name, data, output)) is not None}
    studies = {name: study for name in every if name not in results and (study := study_named(name)).runs(data)}
    if results:
        reporter.info(f"{len(results)} of {len(every)} studies are in {output} already")
    for number, (name, study) in enumerate(studies.items(), 1):
        result = results[name] = _made(study, share, seeds, data, output)
        kind = study.rule(result.numbers).kind
        left = _needs(list(studies)[number:], share)
        reporter.info(
            f"{len(results)}/{len(every)} {name}: {kind}, {clock(result.seconds)}"
            + (f"; about {clock(left)} of processor time left" if left >= 1 else "")
        )
    if partly := [name for name, result in results.items() if not result.whole]:
        reporter.info(f"without --data, run on digits alone: {', '.join(partly)}")
    if skipped := [name for name in every if name not in results]:
        reporter.info(f"left out, because they need --data: {', '.join(skipped)}")
    _print_all({name: results[name] for name in every if name in results}, as_json)


def _kept(name: str, data: Path | None, output: Path) -> "Result | None":
    """The result that the folder has, made by the same code, and of all arms that can be run."""
    from striate.studies.result import digest, read

    path = output / f"{name}.json"
    if not path.exists():
        return None
    result = read(path)
    return result if result.digest == digest(name) and (result.whole or data is None) else None


def _needs(names: list[str], share: float | None) -> float:
    """The seconds that these studies took when striate was made, each at most its share of minutes."""
    from striate.studies import published

    most = float("inf") if share is None else 60 * share
    return sum(min(most, before.seconds) for name in names if (before := published(name)) is not None)


def _list(as_json: bool) -> None:
    from striate.studies import names, published

    results = {name: result for name in names() if (result := published(name)) is not None}
    _print_all(results, as_json)


def _print_all(results: "dict[str, Result]", as_json: bool) -> None:
    from striate.console import Page
    from striate.studies import study_named

    if as_json:
        print(json_text([_plain(study_named(name), result) for name, result in results.items()], indent=2))
        return
    console = Page(highlight=False)
    _print_table(console, results)


def _print_table(console: "Page", results: "dict[str, Result]") -> None:
    """A row a study, group after group; a wide terminal also shows what decides."""
    from rich import box
    from rich.markup import escape
    from rich.table import Column, Table

    from striate.console import clock
    from striate.studies import study_named
    from striate.studies.index_page import shortened
    from striate.studies.page import MARKS

    group, counts, wide = "", dict.fromkeys(COLOURS, 0), console.width >= WIDE
    columns = [Column("", no_wrap=True), Column("study", no_wrap=True), Column("claim", ratio=1)]
    columns += [Column("what decides", ratio=1)] if wide else []
    table = Table(*columns, Column("CPU", justify="right", no_wrap=True), box=box.SIMPLE_HEAD, pad_edge=False)
    for name, result in results.items():
        study = study_named(name)
        verdict = study.rule(result.numbers)
        counts[verdict.kind] += 1
        if study.group != group:
            group = study.group
            table.add_section()
            table.add_row("", f"[bold]{group}[/bold]")
        mark = f"[{COLOURS[verdict.kind]}]{MARKS[verdict.kind]}[/]"
        decides = [escape(shortened(verdict))] if wide else []
        table.add_row(mark, name, escape(study.claim), *decides, clock(result.seconds))
    console.print(table)
    for kind, count in counts.items():
        console.print(f"[{COLOURS[kind]}]{MARKS[kind]} {kind}[/]: {count}")
    total = clock(sum(result.seconds for result in results.values()))
    console.print(f"{len(results)} studies, {total} of processor time. Run one: striate study NAME", soft_wrap=True)


def _print_verdict(console: "Page", study: "Study", result: "Result") -> None:
    from rich.markup import escape

    from striate.studies.page import MARKS

    verdict = study.rule(result.numbers)
    console.print(f"[bold]{escape(study.claim)}[/bold]", soft_wrap=True)
    console.print(f"[{COLOURS[verdict.kind]}]{MARKS[verdict.kind]} {verdict.kind}[/]")
    for line in verdict.because:
        console.print(f"  {escape(line)}", soft_wrap=True)
    if not result.whole:
        console.print(escape(study.partly()), soft_wrap=True)
    seeds = f"{len(result.seeds)} seed{'s' if len(result.seeds) > 1 else ''}"
    console.print(f"{seeds}, {result.seconds:g} seconds of processor time", soft_wrap=True)


def _plain(study: "Study", result: "Result") -> dict[str, Any]:
    """A study and what was found, for JSON."""
    verdict = study.rule(result.numbers)
    return {
        "name": study.name,
        "group": study.group,
        "claim": study.claim,
        "verdict": verdict.kind,
        "spread": list(verdict.because),
        "left_out": [arm for arm in study.arms if not result.numbers.ran(arm)],
        "seeds": result.seeds,
        "scale": result.scale,
        "seconds": result.seconds,
    }
