"""striate check: everything that is wrong with a data set, before an epoch is spent."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from striate.cli.flags import READING, JsonOutput, Reading, as_in_recipe, require_apart
from striate.errors import DataError, UsageError
from striate.files import json_text
from striate.recipe import DataRecipe

if TYPE_CHECKING:
    from striate.data.check import Check

DATA = DataRecipe()


def check(
    data: Path,
    /,
    *,
    json_output: JsonOutput = False,
    html: Path | None = None,
    fix: Path | None = None,
    reading: Reading = READING,
    max_bad: Annotated[float, as_in_recipe("max_bad")] = DATA.max_bad,
    max_pixels: Annotated[int, as_in_recipe("max_pixels")] = DATA.max_pixels,
    workers: Annotated[int | None, as_in_recipe("workers")] = None,
) -> None:
    """Name everything that is wrong with images and labels, before an epoch is spent.

    Leaves with 3 if something would make a result untrue: the same image in two splits or two classes, a class that
    is asked for and never taught, or too many images that cannot be read. What was seen of an image is kept, so a
    second check opens only what has changed.

    Args:
        data: Images with labels, as for `striate train`.
        html: Also write a page with small images of what was found.
        fix: Also write an index without what is wrong, for `striate train`; images are never touched.
    """
    from functools import partial

    from striate.console import Reporter, say
    from striate.data.check import Severity, cleaned, examine
    from striate.data.index_file import save_index
    from striate.data.paths import to_text
    from striate.files import write_whole
    from striate.processors import cores

    for name, path in (("--html", html), ("--fix", fix)):
        if path is not None and not path.absolute().parent.is_dir():
            raise UsageError(f"`{name}`: expected a file in a folder that exists; got {path}.")
        if path is not None:
            require_apart(name, path, [data])
    if fix is not None and fix.suffix != ".parquet":
        raise UsageError(f"`--fix`: expected a name that ends in .parquet; got {fix}.")
    index = reading.index(data)
    found = examine(
        index, max_pixels=max_pixels, max_bad=max_bad, workers=workers or cores(), progress=Reporter().counting
    )
    if html is not None:
        from striate.report.check_page import page

        text = page(found, to_text(data.resolve().name), max_pixels)
        write_whole(html, lambda aside: aside.write_text(text, encoding="utf-8"))
    if fix is not None:
        write_whole(fix, partial(save_index, cleaned(found)))
    if json_output:
        print(json_text(found.to_dict(), indent=2))
    else:
        for line in lines(found):
            say(line)
    errors = found.count(Severity.ERROR)
    if errors:
        raise DataError(
            f"{data}: expected nothing that would make a result untrue; got {errors:,} "
            f"finding{'s' if errors > 1 else ''} of that kind. Mend what is named above, or let --fix FILE write an "
            "index without it."
        )


def lines(check: "Check") -> Iterator[str]:
    """What a check has found, for a person: kinds by severity, of each the first few."""
    from striate.data.check import Severity, by_kind, lines_of
    from striate.data.check.classes import split_counts

    index = check.index
    splits = ", ".join(f"{split or 'not split'} {count:,}" for split, count in split_counts(index).items())
    classes = f"{len(index.classes):,} class{'' if len(index.classes) == 1 else 'es'}"
    masks = f"; {len(index.mask_classes):,} classes in masks" if index.mask_classes else ""
    yield f"{len(index):,} images, {int(index.usable().sum()):,} usable; {classes}{masks}; {splits}"
    yield from index.notes
    if sentence := check.depth.sentence():
        yield sentence
    for kind, found in by_kind(check.findings).items():
        yield ""
        first, *others = lines_of(kind, found, "; --html FILE shows them, --json lists all")
        yield first
        if kind == "leak" and (leaks := len(check.leaks(index))):
            yield f"  `striate train` leaves out the {leaks:,} of train among them; --keep-leaks trains on them."
        yield from others
    yield ""
    totals = [(check.count(severity), severity.value) for severity in Severity]
    yield ", ".join(f"{count:,} {name}{'' if name == 'info' or count == 1 else 's'}" for count, name in totals)
