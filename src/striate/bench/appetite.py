"""What the networks take of pictures, beside what the loader gives."""

from collections.abc import Sequence
from dataclasses import dataclass

from striate.bench.loading import Loading
from striate.bench.networks import Speed


@dataclass(frozen=True)
class Appetite:
    """Of one network for one kind of picture."""

    model: str
    pictures: str
    """Their kind."""

    source: str
    """`files` or `cache`."""

    takes: float
    """Pictures a second that the network trains on, in the precision in which it trains faster."""

    gives: float
    """Pictures a second that the loader gives, with as many workers as do best."""

    workers: int
    lost: float
    """Share of the time of training that is lost to loading: an estimate."""


def appetites(speeds: Sequence[Speed], loading: Loading, *, shared: bool) -> list[Appetite]:
    """Those of every network for every kind of picture, from files and out of the cache.

    Args:
        speeds: of networks.
        loading: see `loading`.
        shared: whether the network runs on the cores that load.
    """
    found = []
    for speed in chosen(speeds):
        for kind, by_source in loading.items():
            for source, by_workers in by_source.items():
                workers = max(by_workers, key=lambda count: by_workers[count].median)
                takes, gives = speed.training.median, by_workers[workers].median
                share = lost(takes, gives, shared=shared)
                found.append(Appetite(speed.model, kind, source, takes, gives, workers, share))
    return found


def chosen(speeds: Sequence[Speed]) -> list[Speed]:
    """Of each network, in the precision in which it trains faster."""
    best: dict[str, Speed] = {}
    for speed in speeds:
        if speed.model not in best or speed.training.median > best[speed.model].training.median:
            best[speed.model] = speed
    return list(best.values())


def lost(takes: float, gives: float, *, shared: bool) -> float:
    """Share of the time of training that is lost to loading.

    On cores that are shared, the seconds of a picture add up: 1 / `takes` in the network and 1 / `gives` in the loader.
    On a GPU of its own the network only waits where it is the faster.

    Args:
        takes: pictures a second of the network alone.
        gives: pictures a second of the loader alone.
        shared: whether both run on the same cores.
    """
    return takes / (takes + gives) if shared else max(1 - gives / takes, 0.0)
