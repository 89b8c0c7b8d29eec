"""What to change on this machine, from what was measured."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from striate.bench.appetite import Appetite, chosen
from striate.data.loader import MUCH

if TYPE_CHECKING:
    from striate.bench.run import Bench

WORTH = 1.2  # times as fast, from which bfloat16 is worth the digits that it lacks
BUSY = 0.5  # programs a core that wanted to run before, from which a machine is not idle
LOW = 0.3  # share of the best convolution, below which most of a step is spent on something else
DEAR = 2.0  # times that fresh memory takes, from which keeping it is worth saying
VERDICTS = {
    (True, "bfloat16"): "it is worth its digits, and --precision auto takes it",
    (True, "float32"): "try --precision bfloat16",
    (False, "bfloat16"): "try --precision float32",
    (False, "float32"): "float32 stays",
}  # by whether bfloat16 is clearly faster, and what `auto` takes


def advise(found: "Bench") -> list[str]:
    """Sentences, the most general first: those of every rule in turn."""
    return [sentence for rule in RULES for sentence in rule(found)]


def _load(found: "Bench") -> Iterator[str]:
    conditions = found.conditions
    if conditions.load is not None and conditions.load > BUSY * conditions.cores:
        yield (
            f"The machine was busy before this began: {conditions.load:.1f} programs wanted to run on "
            f"{_cores(conditions.cores)}. Measure again when it is idle."
        )


def _steadiness(found: "Bench") -> Iterator[str]:
    rates = [*found.convolutions.values(), *(speed.training for speed in found.speeds)]
    if 2 * sum(rate.unsteady for rate in rates) > len(rates):
        yield (
            "The machine was doing something else: most rates differ by a quarter from round to round. Measure again "
            "when it is idle."
        )


def _impossible(found: "Bench") -> Iterator[str]:
    """Rounds that are alike do not show a machine that was busy for all of them."""
    shares = {
        f"{speed.model} in {speed.precision}": max(speed.training_share(ceiling), speed.inference_share(ceiling))
        for speed in found.speeds
        for ceiling in [found.convolutions[f"{speed.precision}, forward"].median]
    }
    most = max(shares, key=lambda name: shares[name], default=None)
    if most is not None and shares[most] > 1:
        yield (
            f"{most} came to {shares[most]:.0%} of the best convolution: the machine was busier while convolutions "
            "were measured, and no share can be trusted. Measure again when it is idle."
        )


def _threads(found: "Bench") -> Iterator[str]:
    conditions = found.conditions
    if conditions.threads > conditions.cores:
        yield (
            f"Arithmetic has {conditions.threads} threads for {_cores(conditions.cores)}, where they wait for each "
            f"other. Try OMP_NUM_THREADS={conditions.cores}."
        )
    elif found.on_cpu and conditions.threads < conditions.physical_cores:
        threads = "1 thread" if conditions.threads == 1 else f"{conditions.threads} threads"
        yield f"Arithmetic has {threads} for {_cores(conditions.physical_cores)}. Is OMP_NUM_THREADS set? Try without."


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def _precision(found: "Bench") -> Iterator[str]:
    way = "forward and back"
    times = found.convolutions[f"bfloat16, {way}"].median / found.convolutions[f"float32, {way}"].median
    verdict = VERDICTS[times >= WORTH, found.machine.precision]
    yield f"Convolutions run {times:.1f} times as fast in bfloat16 as in float32: {verdict}."


def _memory(found: "Bench") -> Iterator[str]:
    times = found.memory["copied"].median / found.memory["fresh"].median
    if found.on_cpu and times >= DEAR:
        yield (
            f"Memory new from the kernel is written {times:.1f} times as slowly as memory that is kept: leave "
            "--keep-memory on."
        )


def _bounds(found: "Bench") -> Iterator[str]:
    for speed in chosen(found.speeds):
        share = speed.training_share(found.convolutions[f"{speed.precision}, forward"].median)
        if share < LOW:
            yield (
                f"{speed.model} trains at {share:.0%} of what a convolution in {speed.precision} reaches: most of its "
                "time goes to moving memory, not to multiplications. A network of wider layers costs less than its "
                "multiplications say."
            )


def _appetites(found: "Bench") -> Iterator[str]:
    appetites = found.appetites
    for kind in dict.fromkeys(one.pictures for one in appetites):
        both = [one for one in appetites if one.pictures == kind]
        files = [one for one in both if one.source == "files"]
        starving = [one for one in files if one.lost > MUCH]
        if starving:
            yield f"{_loaded(files[0])}, and these networks lose time to that: {_losses(starving)}. {_remedy(both)}"
        else:
            hungriest = max(files, key=lambda one: one.takes)
            yield f"{_loaded(files[0])}, and {hungriest.model} takes {hungriest.takes:,.0f}: the network sets the pace."


def _loaded(files: Appetite) -> str:
    by = "1 worker loads" if files.workers == 1 else f"{files.workers} workers load"
    return f"{files.pictures}: {by} {files.gives:,.0f} pictures a second"


def _losses(starving: list[Appetite]) -> str:
    return ", ".join(f"{one.model} {one.lost:.0%}" for one in starving)


def _remedy(both: list[Appetite]) -> str:
    files = max((one for one in both if one.source == "files"), key=lambda one: one.lost)
    cached = max((one for one in both if one.source == "cache"), key=lambda one: one.lost)
    if cached.gives < WORTH * files.gives:
        return "The pixel cache gives hardly more: try fewer augmentations, or a machine of more cores."
    return f"Try --pixel-cache on, which gives {cached.gives:,.0f}: at most {cached.lost:.0%} are lost then."


RULES: tuple[Callable[["Bench"], Iterator[str]], ...] = (
    _load,
    _steadiness,
    _impossible,
    _threads,
    _precision,
    _memory,
    _bounds,
    _appetites,
)
