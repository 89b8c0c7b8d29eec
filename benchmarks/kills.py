"""Kills runs at random moments, starts them again, and counts those that end as the ones that nobody killed.

usage: python benchmarks/kills.py [TIMES [SEED [RUN ...]]]

Prints Markdown: seven kinds of run on tiny images, or those named, TIMES kills each (20), at moments drawn from all of
a run: before its folder is whole too, and with caches half filled. Identical are, by sha256, the model file's weights,
metrics.csv but for the columns that the clock decides, and all tensors of the last checkpoint.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from random_kills import KINDS, Killing


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    kinds = sys.argv[3:] or list(KINDS)
    found: dict[str, list[tuple[str, float, bool]]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        killing = Killing(Path(folder), seed)
        for number in range(times):
            for kind in kinds:
                found[kind].append(killing.killed(kind))
                left, moment, _ = found[kind][-1]
                same = "identical" if left == killing.unbroken(kind)[0] else "OTHER"
                print(f"{kind} {number + 1}: killed after {moment:.2f} s: {same}", file=sys.stderr, flush=True)
        print(f"seed {seed}\n")
        print("| run | seconds | kills | before its folder was whole | first and last kill, seconds | identical |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for kind in kinds:
            expected, seconds = killing.unbroken(kind)
            moments = [moment for _, moment, _ in found[kind]]
            same_count = sum(left == expected for left, _, _ in found[kind])
            early = sum(not whole for _, _, whole in found[kind])
            span = f"{min(moments):.2f} and {max(moments):.2f}"
            print(f"| {kind} | {seconds:.1f} | {times} | {early} | {span} | {same_count} |", flush=True)


if __name__ == "__main__":
    main()
