"""What to change on this machine, from what was measured."""

from collections.abc import Callable, Iterator

from striate.data.loader import MUCH
from striate.machine.demand import Demand, faster_precision
from striate.machine.findings import Bench

WORTH = 1.2  # times as fast as float32: from here on bfloat16 is worth the digits that it lacks
BUSY = 0.5  # programs that wanted to run, for each core: from here on a machine is not idle
LOW = 0.3  # share of the best convolution: below it, most of a step is spent on something else
SLOW_FRESH = 2.0  # times as slow: from here on it is worth keeping memory rather than asking for it anew
VERDICTS = {
    (True, "bfloat16"): "it is worth its digits, and --precision auto takes it",
    (True, "float32"): "try --precision bfloat16",
    (False, "bfloat16"): "try --precision float32",
    (False, "float32"): "float32 stays",
}  # by whether bfloat16 is clearly faster, and what `auto` takes


def advise(found: Bench) -> list[str]:
    """What every rule has to say, in sentences, the most general first."""
    return [sentence for rule in RULES for sentence in rule(found)]


def _load(found: Bench) -> Iterator[str]:
    conditions = found.conditions
    if conditions.load is not None and conditions.load > BUSY * conditions.cores:
        yield (
            f"The machine was busy before this began: {conditions.load:.1f} programs wanted to run on "
            f"{_cores(conditions.cores)}. Measure again when it is idle."
        )


def _steadiness(found: Bench) -> Iterator[str]:
    rates = [*found.convolutions.values(), *(speed.training for speed in found.speeds)]
    if 2 * sum(rate.unsteady for rate in rates) > len(rates):
        yield (
            "The machine was doing something else: most rates differ by a quarter from round to round. Measure again "
            "when it is idle."
        )


def _impossible(found: Bench) -> Iterator[str]:
    """A share above 1: rounds that are alike do not show that a machine was busy for all of them."""
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


def _threads(found: Bench) -> Iterator[str]:
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


def _precision(found: Bench) -> Iterator[str]:
    way = "forward and back"
    times = found.convolutions[f"bfloat16, {way}"].median / found.convolutions[f"float32, {way}"].median
    verdict = VERDICTS[times >= WORTH, found.machine.precision]
    yield f"Convolutions run {times:.1f} times as fast in bfloat16 as in float32: {verdict}."


def _memory(found: Bench) -> Iterator[str]:
    times = found.memory["copied"].median / found.memory["fresh"].median
    if found.on_cpu and times >= SLOW_FRESH:
        yield (
            f"Memory new from the kernel is written {times:.1f} times as slowly as memory that is kept: leave "
            "--keep-memory on."
        )


def _bounds(found: Bench) -> Iterator[str]:
    for speed in faster_precision(found.speeds):
        share = speed.training_share(found.convolutions[f"{speed.precision}, forward"].median)
        if share < LOW:
            yield (
                f"{speed.model} trains at {share:.0%} of what a convolution in {speed.precision} reaches: most of its "
                "time goes to moving memory, not to multiplications. A network of wider layers costs less than its "
                "multiplications say."
            )


def _lost_to_loading(found: Bench) -> Iterator[str]:
    for kind in dict.fromkeys(demand.images for demand in found.demands):
        both = [demand for demand in found.demands if demand.images == kind]
        files = [demand for demand in both if demand.source == "files"]
        starving = [demand for demand in files if demand.lost > MUCH]
        if starving:
            yield f"{_loaded(files[0])}, and these networks lose time to that: {_losses(starving)}. {_remedy(both)}"
        else:
            fastest = max(files, key=lambda demand: demand.trained)
            yield f"{_loaded(files[0])}, and {fastest.model} takes {fastest.trained:,.0f}: the network sets the pace."


def _loaded(files: Demand) -> str:
    by = "1 worker loads" if files.workers == 1 else f"{files.workers} workers load"
    return f"{files.images}: {by} {files.loaded:,.0f} images a second"


def _losses(starving: list[Demand]) -> str:
    return ", ".join(f"{demand.model} {demand.lost:.0%}" for demand in starving)


def _remedy(both: list[Demand]) -> str:
    files = max((demand for demand in both if demand.source == "files"), key=lambda demand: demand.lost)
    cached = max((demand for demand in both if demand.source == "cache"), key=lambda demand: demand.lost)
    if cached.loaded < WORTH * files.loaded:
        return "The pixel cache gives hardly more: try fewer augmentations, or a machine of more cores."
    return f"Try --pixel-cache on, which gives {cached.loaded:,.0f}: at most {cached.lost:.0%} are lost then."


RULES: tuple[Callable[[Bench], Iterator[str]], ...] = (
    _load,
    _steadiness,
    _impossible,
    _threads,
    _precision,
    _memory,
    _bounds,
    _lost_to_loading,
)
