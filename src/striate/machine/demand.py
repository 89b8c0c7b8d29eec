"""How many images a second networks train on, beside how many the loader gives."""

from collections.abc import Sequence
from dataclasses import dataclass

from striate.machine.loading import Loading
from striate.machine.networks import Speed


@dataclass(frozen=True)
class Demand:
    """What one network asks of the loader for one kind of image."""

    model: str
    images: str
    """Which kind."""

    source: str
    """`files` or `cache`."""

    trained: float
    """Images a second that the network trains on, in the precision in which it trains faster."""

    loaded: float
    """Images a second that the loader gives, with the number of workers that does best."""

    workers: int
    lost: float
    """The share of training time that is lost to loading: an estimate."""


def demands(speeds: Sequence[Speed], loading: Loading, *, shared: bool) -> list[Demand]:
    """The demand of every network for every kind of image, from files and from the cache.

    Args:
        speeds: those of the networks.
        loading: see `loading`.
        shared: whether the network runs on the cores that load.
    """
    found = []
    for speed in faster_precision(speeds):
        for kind, by_source in loading.items():
            for source, by_workers in by_source.items():
                workers = max(by_workers, key=lambda count: by_workers[count].median)
                trained, loaded = speed.training.median, by_workers[workers].median
                share = lost(trained, loaded, shared=shared)
                found.append(Demand(speed.model, kind, source, trained, loaded, workers, share))
    return found


def faster_precision(speeds: Sequence[Speed]) -> list[Speed]:
    """One speed for each network: the one in the precision in which it trains faster."""
    best: dict[str, Speed] = {}
    for speed in speeds:
        if speed.model not in best or speed.training.median > best[speed.model].training.median:
            best[speed.model] = speed
    return list(best.values())


def lost(trained: float, loaded: float, *, shared: bool) -> float:
    """The share of training time that is lost to loading.

    On shared cores the seconds for each image add up: 1 / `trained` in the network and 1 / `loaded` in the loader. On
    a GPU of its own the network only waits if it is the faster of the two.

    Args:
        trained: images a second of the network alone.
        loaded: images a second of the loader alone.
        shared: whether both run on the same cores.
    """
    return trained / (trained + loaded) if shared else max(1 - loaded / trained, 0.0)
