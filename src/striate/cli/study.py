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
    needs = before.seconds / 60 * study.seeds / len(before.seeds) / before.scale if before else None
    result = run(study, data, plan(study, minutes, seeds, needs), Reporter())
    output.mkdir(parents=True, exist_ok=True)
    result.write(output)
    write_page(study, result, output)
    return result


def _run_all(minutes: float | None, seeds: int | None, data: Path | None, output: Path, as_json: bool) -> None:
    from striate.console import Reporter, clock
    from striate.studies import names, study_named
    from striate.studies.result import digest, read

    reporter = Reporter()
    skipped: list[str] = []
    every = names()
    share = minutes / len(every) if minutes is not None else None
    for number, name in enumerate(every, 1):
        study, path = study_named(name), output / f"{name}.json"
        if path.exists() and read(path).digest == digest(name):
            continue
        if data is None and any(source.name for source in study.sources):
            skipped.append(name)
            continue
        result = _made(study, share, seeds, data, output)
        kind = study.rule(result.numbers).kind
        reporter.info(f"{number}/{len(every)} {name}: {kind}, {clock(result.seconds)}")
    if skipped:
        reporter.info(f"left out, because they need --data: {', '.join(skipped)}")
    results = {name: read(output / f"{name}.json") for name in every if (output / f"{name}.json").exists()}
    _print_all(results, as_json)


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
    if not console.is_terminal:
        console = Page(highlight=False, width=120)
    _print_table(console, results)


def _print_table(console: "Page", results: "dict[str, Result]") -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Column, Table

    from striate.console import clock
    from striate.studies import study_named
    from striate.studies.index_page import shortened
    from striate.studies.page import MARKS

    group, counts = "", dict.fromkeys(COLOURS, 0)
    table = Table(
        Column("study", no_wrap=True),
        Column("claim", ratio=3),
        Column("verdict", ratio=1, min_width=12),
        Column("what decides", ratio=3),
        Column("CPU", justify="right", no_wrap=True),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name, result in results.items():
        study = study_named(name)
        verdict = study.rule(result.numbers)
        counts[verdict.kind] += 1
        if study.group != group:
            group = study.group
            table.add_section()
            table.add_row(f"[bold]{group}[/bold]")
        table.add_row(
            name,
            escape(study.claim),
            f"[{COLOURS[verdict.kind]}]{MARKS[verdict.kind]} {verdict.kind}[/]",
            escape(shortened(verdict.because)),
            clock(result.seconds),
        )
    console.print(table)
    total = clock(sum(result.seconds for result in results.values()))
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    console.print(
        f"{len(results)} studies: {told}; {total} of processor time. Run one: striate study NAME", soft_wrap=True
    )


def _print_verdict(console: "Page", study: "Study", result: "Result") -> None:
    from rich.markup import escape

    from striate.studies.page import MARKS

    verdict = study.rule(result.numbers)
    console.print(f"[bold]{escape(study.claim)}[/bold]", soft_wrap=True)
    console.print(f"[{COLOURS[verdict.kind]}]{MARKS[verdict.kind]} {verdict.kind}[/]")
    for line in verdict.because:
        console.print(f"  {escape(line)}", soft_wrap=True)
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
        "seeds": result.seeds,
        "scale": result.scale,
        "seconds": result.seconds,
    }
