"""The pages that list every study, and every claim of the notes."""

from collections.abc import Mapping

from striate.studies.catalogue import GROUPS
from striate.studies.claims import NOTES, Claim
from striate.studies.page import MARKS
from striate.studies.result import Result
from striate.studies.study import Study
from striate.studies.verdict import HOLDS, Verdict

INTRODUCTION = """# The notes' claims as experiments

striate began with five sets of course notes. Here their claims are run as experiments: small networks, small images,
several seeds, and a rule, written before the run, that turns the numbers into one of four verdicts.

| | verdict | means |
| --- | --- | --- |
| ✔ | holds | the 95 % interval over seeds says so |
| ◐ | holds with a condition | for some of the cases that were tried, and not for the others |
| ✘ | does not hold here | the interval says the opposite here, or that the effect is too small to matter |
| ? | cannot be told | the interval leaves both open; more minutes may tell |

`striate study` prints the list, `striate study NAME` runs one and writes its page, and `--minutes N` gives it more time
or less. Without `--data FOLDER` a study of digits and photos runs on digits alone. A verdict is about what was run
here: small networks, trained briefly. Each page says what others found on larger ones.
[Every claim of the notes](coverage.md) is listed with its study, its page, or why it has neither.
"""


def index_page(found: Mapping[str, tuple[Study, Result]]) -> str:
    """The list of all studies with their verdicts, group after group."""
    parts = [INTRODUCTION]
    for group in GROUPS:
        rows = [(study, result) for study, result in found.values() if study.group == group]
        if not rows:
            continue
        lines = [f"## {group.capitalize()}", "", "| | claim | what decides |", "| --- | --- | --- |"]
        for study, result in rows:
            verdict = study.rule(result.numbers)
            lines.append(f"| {MARKS[verdict.kind]} | [{study.claim}]({study.name}.md) | {shortened(verdict)} |")
        parts.append("\n".join(lines) + "\n")
    names = "\n".join(found)
    parts.append(f"```{{toctree}}\n:hidden:\n\ncoverage\n{names}\n```\n")
    return "\n".join(parts)


def shortened(verdict: Verdict) -> str:
    """One line of what decides: how many parts hold, and of them the first, with an interval if any has one.

    Where some hold and others do not, the first that does not is shown.
    """
    parts = verdict.because
    if len(parts) == 1:
        return parts[0]
    held = [part for part in parts if part.endswith(f"({HOLDS})")]
    shown = [part for part in parts if part not in held] or held
    first = next((part for part in shown if "[" in part), shown[0])
    if len(held) == len(parts):
        every = "both" if len(parts) == 2 else f"all {len(parts)}"
        return f"{every} hold, such as {first.removesuffix(f' ({HOLDS})')}"
    if not held:
        return f"none of {len(parts)} holds; {first}"
    return f"{len(held)} of {len(parts)} {'holds' if len(held) == 1 else 'hold'}; {first}"


def coverage_page(claims: Mapping[str, Claim], found: Mapping[str, tuple[Study, Result]]) -> str:
    """Every claim of the notes with its study, its page, or why there is neither."""
    lines = ["# Every claim of the notes", "", _summary(claims, found), ""]
    for note, title in NOTES.items():
        lines += [f"## Notes {note}: {title}", "", "| section | the notes say | answered by |", "| --- | --- | --- |"]
        for claim in claims.values():
            if claim.note == note:
                lines.append(f"| {cell(claim.section)} | {cell(claim.sentence)} | {_answer(claim, found)} |")
        lines.append("")
    return "\n".join(lines)


def _summary(claims: Mapping[str, Claim], found: Mapping[str, tuple[Study, Result]]) -> str:
    studied = {identifier for study, _ in found.values() for identifier in study.claims}
    paged = sum(1 for claim in claims.values() if claim.page and claim.id not in studied)
    none = len(claims) - len(studied) - paged
    counts = f"{len(studied)} are run as studies, {paged} have a page, and {none} have neither, with the reason"
    return f"{len(claims)} claims: {counts}."


def _answer(claim: Claim, found: Mapping[str, tuple[Study, Result]]) -> str:
    links = [
        f"{MARKS[study.rule(result.numbers).kind]} [{study.name}]({study.name}.md)"
        for study, result in found.values()
        if claim.id in study.claims
    ]
    if claim.page:
        links.append(f"[{claim.page}](../{claim.page}.md)")
    return ", ".join(links) + (f" {claim.why}" if claim.why else "")


def cell(text: str) -> str:
    """Text of the notes in a cell of a table."""
    for mark in "\\*_$<|[":
        text = text.replace(mark, f"\\{mark}")
    return text
