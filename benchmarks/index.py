"""A table of a million images: how long it takes to open, and in how much memory, from CSV and as a saved index.

usage: python benchmarks/index.py [ROWS]

Each way runs in a process of its own, one after another, twice round: seconds and the peak of memory are of opening
alone; the first line is what Python and the libraries take by themselves. The images are not there: opening an index
does not need them. The reference is `csv.DictReader`, which keeps every row as a dict and checks nothing. "ready" is
what a run does before its first epoch: split, count, name the data.
"""

import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from striate.data.index_file import load_index, save_index

ROWS, ROUNDS = 1_000_000, 2
CLASSES, FOLDERS = 1000, 1000
MEGABYTE = 1e6


def write_table(path: Path, rows: int) -> None:
    """A table as users have it: images in folders, one label of many, a weight."""
    rng = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "weight"))
        for i in range(rows):
            path_in_folder = f"photos/{rng.randrange(FOLDERS):04}/photo_{i:08}.jpg"
            split = "val" if i % 10 == 0 else "train"
            writer.writerow((path_in_folder, f"class {rng.randrange(CLASSES):04}", split, 1 + i % 3))


def nothing(folder: Path) -> int:
    """What ours needs to be there."""
    import striate.data  # noqa: F401

    return 0


def dict_reader(folder: Path) -> int:
    """The reference."""
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        return len(list(csv.DictReader(file)))


def from_csv(folder: Path) -> int:
    """Ours, from the table."""
    from striate.data import read

    return len(read(folder / "table.csv"))


def save(folder: Path) -> int:
    """Prepares what the next two open."""
    from striate.data import read

    index = read(folder / "table.csv")
    save_index(index, folder / "index.parquet")
    return len(index)


def saved(folder: Path) -> int:
    """Ours, from what `Index.save` wrote."""

    return len(load_index(folder / "index.parquet"))


def ready(folder: Path) -> int:
    """Ours, saved, and all that a run asks of an index before its first epoch."""
    from striate.data import split

    index = split(load_index(folder / "index.parquet"), val_fraction=0.1, test_fraction=0.1, seed=0)
    index.fingerprint()
    index.labels(index.rows("train"))
    return sum(index.counts("train").values()) + sum(index.counts("val").values())


WAYS: dict[str, Callable[[Path], int]] = {
    "libraries alone": nothing,
    "csv.DictReader": dict_reader,
    "striate, CSV": from_csv,
    "striate, saved index": saved,
    "striate, ready to train": ready,
}


def measure(way: str, folder: Path) -> None:
    """Runs one way in this process; prints its rows, its seconds after imports, and the peak of memory in megabytes."""
    work = save if way == "save" else WAYS[way]
    if work is not dict_reader:
        nothing(folder)
    started = time.perf_counter()
    rows = work(folder)
    seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps([rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE]))


def in_its_own_process(way: str, folder: Path) -> tuple[int, float, float]:
    """What `measure` prints. This process stays small, because a child's peak of memory begins with its parent's."""
    command = [sys.executable, __file__, way, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows, seconds, megabytes = json.loads(done.stdout)
    return rows, seconds, megabytes


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "table.csv", rows)
        in_its_own_process("save", folder)
        sizes = {file: (folder / file).stat().st_size / MEGABYTE for file in ("table.csv", "index.parquet")}
        print(f"{rows:,} rows; {', '.join(f'{file} {size:.0f} MB' for file, size in sizes.items())}")
        best = dict.fromkeys(WAYS, float("inf"))
        for _ in range(ROUNDS):
            for way in WAYS:
                found, seconds, megabytes = in_its_own_process(way, folder)
                if found not in (0, rows):
                    raise SystemExit(f"{way}: expected {rows} rows, got {found}")
                best[way] = min(best[way], seconds)
                print(f"{way:24} {seconds:6.2f} s   at most {megabytes:5.0f} MB")
        for way in list(WAYS)[2:]:
            print(f"{way}: {best['csv.DictReader'] / best[way]:.2f} times as fast as csv.DictReader")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
