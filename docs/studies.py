"""Writes the pages of the studies from their results: `python docs/studies.py` writes docs/studies.

`python docs/studies.py FOLDER` first takes the results that `striate study --all --output FOLDER` left there.
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from striate.files import write_whole
from striate.studies import Result, Study, names, published, study_named, write_page
from striate.studies.claims import claims
from striate.studies.index_page import coverage_page, index_page
from striate.studies.page import stamp
from striate.studies.result import PUBLISHED, read

PAGES = Path(__file__).resolve().parent / "studies"


def found() -> dict[str, tuple[Study, Result]]:
    """Each study that has a result, with it."""
    results = {name: published(name) for name in names()}
    return {name: (study_named(name), result) for name, result in results.items() if result is not None}


def texts() -> dict[str, str]:
    """The pages that list all studies and all claims, by file name."""
    studies = found()
    return {"index.md": index_page(studies), "coverage.md": coverage_page(claims(), studies)}


def news(result: Result) -> bool:
    """Whether a result says anything that the published one does not: a run on digits alone, or with the same numbers
    in other seconds, leaves what is there."""
    before = published(result.study)
    return result.whole and (before is None or (before.digest, stamp(before)) != (result.digest, stamp(result)))


def main(folder: Path | None) -> None:
    """Writes every page and figure."""
    if folder is not None:
        for path in sorted(folder.glob("*.json")):
            if news(read(path)):
                shutil.copyfile(path, PUBLISHED / path.name)
                print(f"{path.name}: new numbers")
    PAGES.mkdir(exist_ok=True)
    for study, result in found().values():
        write_page(study, result, PAGES)
    for name, text in texts().items():
        write_whole(PAGES / name, partial(Path.write_text, data=text, encoding="utf-8"))
    print(f"{PAGES.relative_to(PAGES.parents[1])}: {len(found())} studies, {len(claims())} claims")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
