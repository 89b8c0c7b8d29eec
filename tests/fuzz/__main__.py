"""Opens nearly valid files for some minutes, and counts what striate contains: `make fuzz`.

Each case is a valid input of one kind with some of its files changed, and one command line in a process of its own.
It is contained if that ends with a documented code, without a traceback, in at most one line of 500 characters that
begins with `striate:`, within the time and memory below, and without a file written or a canary read outside of its
folder. A case is decided by kind, seed and number, which are printed: `--only KIND --seed S --first N --cases 1 --keep
FOLDER` shows it again.
"""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from tests.fuzz.run import Case, Outcome, run_case
from tests.fuzz.seeds import KINDS

SHOWN = 40  # cases that were not contained


def main() -> int:
    """Runs cases in turn of every kind; 0 where all are contained."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cases", type=int, default=10**9, help="at most so many, of all kinds together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", choices=sorted(KINDS), nargs="*")
    parser.add_argument("--keep", type=Path, help="folder that the files of cases are left in")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    kinds = asked.only or list(KINDS)
    print(f"seed {asked.seed}, kinds {', '.join(kinds)}", flush=True)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    end, number, failures = time.monotonic() + 60 * asked.minutes, asked.first, 0
    while time.monotonic() < end and number < asked.first + asked.cases:
        case = Case(kinds[number % len(kinds)], asked.seed, number)
        with TemporaryDirectory(prefix="fuzz-") as folder:
            outcome = run_case(case, asked.keep or Path(folder))
        counts[case.kind][outcome.verdict] += 1
        if not outcome.contained:
            failures += 1
            if failures <= SHOWN:
                print(told(case, outcome), flush=True)
        number += 1
    print(table(counts))
    return min(failures, 1)


def told(case: Case, outcome: Outcome) -> str:
    """What happened, and how to see it again."""
    again = f"--only {case.kind} --seed {case.seed} --first {case.number} --cases 1"
    last = outcome.text.strip().splitlines()[-1:] or [""]
    return f"{outcome.verdict}: {again}\n    {' '.join(outcome.words)}\n    {last[0][:300]}"


def table(counts: dict[str, Counter[str]]) -> str:
    """A row a kind: how many cases were contained, and what became of the others."""
    rows = [f"{'kind':<10} {'cases':>6} {'contained':>9}  not contained"]
    for kind, found in counts.items():
        good = sum(count for verdict, count in found.items() if verdict.startswith("code "))
        bad = ", ".join(f"{count} {verdict}" for verdict, count in found.items() if not verdict.startswith("code "))
        rows.append(f"{kind:<10} {found.total():>6} {good:>9}  {bad}")
    total = sum((found for found in counts.values()), Counter[str]())
    good = sum(count for verdict, count in total.items() if verdict.startswith("code "))
    return "\n".join([*rows, f"{'all':<10} {total.total():>6} {good:>9}  codes: {dict(sorted(total.items()))}"])


if __name__ == "__main__":
    sys.exit(main())
