"""The page of a study, and the pages that list all of them, as Markdown: text from data, nothing typed twice."""

import hashlib
from pathlib import Path

import numpy as np

from striate.files import json_text, write_whole
from striate.studies.claims import NOTES, claims
from striate.studies.numbers import Numbers
from striate.studies.result import Result
from striate.studies.study import Dots, Lines, Maps, Study
from striate.studies.verdict import Verdict, plain

MOST_POINTS, MOST_QUOTES = 4, 3  # of a series in the table; of the notes
MARKS = {"holds": "✔", "holds with a condition": "◐", "does not hold here": "✘", "cannot be told": "?"}


def write_page(study: Study, result: Result, folder: Path) -> Path:
    """Writes the page NAME.md and the figure NAME.svg into a folder that exists.

    Returns:
        The path of the page.
    """
    from striate.studies.figure import draw

    path = folder / f"{study.name}.md"
    text = page(study, result)
    draw(study, result.numbers, stamp(result), folder / f"{study.name}.svg")
    write_whole(path, lambda aside: aside.write_text(text, encoding="utf-8"))
    return path


def stamp(result: Result) -> str:
    """A figure's mark of the numbers that it shows."""
    return f"numbers {hashlib.sha256(json_text(result.numbers.values).encode()).hexdigest()[:16]}"


def page(study: Study, result: Result) -> str:
    """A study's page: claim, verdict, sentences of the notes, experiment, figure, numbers, literature, cost."""
    verdict = study.rule(result.numbers)
    parts = [
        f"# {study.claim}",
        f"**{MARKS[verdict.kind]} {verdict.kind.capitalize()}.**{_scaled(result)}",
        "" if result.whole else study.partly(),
        *(_quote(identifier) for identifier in study.claims[:MOST_QUOTES]),
        _further(len(study.claims) - MOST_QUOTES),
        f"## The experiment\n\n{study.setup}",
        f"![{_caption(study)}]({study.name}.svg)",
        f"*{_caption(study)}*",
        _table(study, result.numbers),
        f"## The verdict\n\n{_because(verdict)}",
        study.remark,
        f"## What others found\n\n{study.literature}",
        f"## Its cost, and how to repeat it\n\n{_cost(study, result)}",
        f"```bash\nstriate study {study.name}{_flags(study)}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _scaled(result: Result) -> str:
    if result.scale == 1:
        return ""
    return f" Each training was {result.scale:g} times as long as in the short form."


def _quote(identifier: str) -> str:
    claim = claims()[identifier]
    return f"> {_escaped(claim.sentence)}\n>\n> — notes {claim.note} ({NOTES[claim.note]}), {_escaped(claim.section)}"


def _further(count: int) -> str:
    """That the notes say more of it."""
    if count <= 0:
        return ""
    sentences = "sentence says" if count == 1 else "sentences say"
    return f"{count} further {sentences} as much; the [list of all claims](coverage.md) has them."


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("$", "\\$").replace("_", "\\_").replace("<", "\\<")


def _caption(study: Study) -> str:
    match study.figure:
        case Dots():
            shown = "a dot a seed, the mean, and its 95 % interval" if study.chance else "a dot a seed, and the mean"
            return f"{_first_upper(study.figure.measure)}: {shown}."
        case Lines():
            return f"{_first_upper(study.figure.measure)}: the mean over seeds, and their range."
        case Maps():
            return f"{_first_upper(study.figure.measure)} of the first seed."


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(study: Study, numbers: Numbers) -> str:
    """A row for each arm and measure, and for some points of the series that the figure shows."""
    lines = ["| arm | measure | mean and 95 % interval | each seed |", "| --- | --- | --- | --- |"]
    for arm, measures in numbers.values.items():
        for measure in measures:
            for at, name in _shown_points(study, numbers, arm, measure):
                seeds = ", ".join(f"{value:.3g}" for value in numbers.of(arm, measure, at))
                lines.append(f"| {arm} | {name} | {plain(numbers.interval(arm, measure, at))} | {seeds} |")
    return "\n".join(lines)


def _shown_points(study: Study, numbers: Numbers, arm: str, measure: str) -> list[tuple[int | None, str]]:
    """The points of a measure that the table has, each with its name: some of a series, the figure's alone."""
    values = numbers.of(arm, measure)
    if values.ndim == 1:
        return [(None, measure)]
    if not isinstance(study.figure, Lines) or study.figure.measure != measure:
        return []
    shown = np.unique(np.linspace(0, values.shape[1] - 1, MOST_POINTS).round().astype(int)).tolist()
    return [(at, f"{measure}, {study.figure.label} {study.figure.points[at]}") for at in shown]


def _because(verdict: Verdict) -> str:
    lines = "\n".join(f"- {line}" for line in verdict.because)
    return f"{verdict.kind.capitalize()}. What decides, with 95 % intervals over seeds:\n\n{lines}"


def _cost(study: Study, result: Result) -> str:
    seeds = f"{len(result.seeds)} seed{'s' if len(result.seeds) > 1 else ''}"
    meanings = " and ".join(source.meaning for source in (study.sources if result.whole else study.brought()))
    images = f" Its images: {meanings}." if meanings else " It makes its own inputs."
    return f"{seeds}, {result.seconds:g} seconds of processor time in all on {result.machine}.{images}"


def _flags(study: Study) -> str:
    names = [source.name for source in study.sources if source.name]
    if not names:
        return ""
    return f" --data {names[0] if len(names) == 1 else 'FOLDER'}"
