"""What to change on this machine, from what was measured."""

from collections.abc import Iterator, Mapping, Sequence

from striate.bench.networks import Speed
from striate.bench.timing import Rate

FASTER = 1.2  # times, from which bfloat16 is worth its digits; as `striate.device` has it
LOW = 0.3  # share of the best convolution, below which a network is bound by something else
DEAR = 2.0  # times that fresh memory takes, from which keeping it is worth saying


def advise(
    convolutions: Mapping[str, Rate],
    memory: Mapping[str, Rate],
    speeds: Sequence[Speed],
    loading: Mapping[str, Mapping[int, Rate]],
) -> list[str]:
    """Sentences, the most general first.

    Args:
        convolutions: operations a second by precision and direction.
        memory: bytes a second, `copied` and `fresh`.
        speeds: of networks.
        loading: pictures a second by kind of picture and number of workers.
    """
    return [
        *_steadiness([*convolutions.values(), *(speed.training for speed in speeds)]),
        _precision(convolutions),
        *_memory(memory),
        *_bounds(convolutions, _chosen(speeds)),
        *_appetites(_chosen(speeds), loading),
    ]


def _steadiness(found: Sequence[Rate]) -> Iterator[str]:
    unsteady = sum(rate.unsteady for rate in found)
    if 2 * unsteady > len(found):
        yield (
            "The machine was doing something else: most rates differ by a quarter from round to round. Measure again "
            "when it is idle."
        )


def _precision(convolutions: Mapping[str, Rate]) -> str:
    way = "forward and back"
    times = convolutions[f"bfloat16, {way}"].median / convolutions[f"float32, {way}"].median
    verdict = "it is worth its digits" if times >= FASTER else "--precision float32 is better"
    return f"Convolutions run {times:.1f} times as fast in bfloat16 as in float32: {verdict}."


def _memory(memory: Mapping[str, Rate]) -> Iterator[str]:
    times = memory["copied"].median / memory["fresh"].median
    if times >= DEAR:
        yield (
            f"Memory new from the kernel is written {times:.1f} times as slowly as memory that is kept: leave "
            "--keep-memory on."
        )


def _bounds(convolutions: Mapping[str, Rate], speeds: Sequence[Speed]) -> Iterator[str]:
    for speed in speeds:
        share = speed.training_share(convolutions[f"{speed.precision}, forward"].median)
        if share < LOW:
            yield (
                f"{speed.model} trains at {share:.0%} of what a convolution in {speed.precision} reaches: memory "
                "bounds it, not arithmetic. A network of wider layers costs less than its multiplications say."
            )


def _chosen(speeds: Sequence[Speed]) -> list[Speed]:
    """Of each network, in the precision in which it trains faster."""
    best: dict[str, Speed] = {}
    for speed in speeds:
        if speed.model not in best or speed.training.median > best[speed.model].training.median:
            best[speed.model] = speed
    return list(best.values())


def _appetites(speeds: Sequence[Speed], loading: Mapping[str, Mapping[int, Rate]]) -> Iterator[str]:
    for kind, by_workers in loading.items():
        most = max(by_workers, key=lambda workers: by_workers[workers].median)
        given = by_workers[most].median
        loaded = f"{kind}: {'1 worker loads' if most == 1 else f'{most} workers load'} {given:,.0f} pictures a second"
        hungry = [speed for speed in speeds if speed.training.median > given]
        if hungry:
            names = ", ".join(f"{speed.model} ({speed.training.median:,.0f})" for speed in hungry)
            yield (
                f"{loaded}, less than these networks take: {names}. Try --pixel-cache on, which decodes each picture "
                "once."
            )
        elif speeds:
            fastest = max(speeds, key=lambda speed: speed.training.median)
            yield (f"{loaded}, and {fastest.model} takes {fastest.training.median:,.0f}: the network sets the pace.")
