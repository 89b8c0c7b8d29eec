"""All measurements of a machine, one after the other."""

from collections.abc import Callable, Sequence
from pathlib import Path

from striate.device import Machine, choose, keep_memory
from striate.machine.ceilings import DTYPES, convolutions, memory, products
from striate.machine.conditions import conditions
from striate.machine.findings import Bench
from striate.machine.loading import loading
from striate.machine.networks import Speed, multiplications, speeds

Log = Callable[[str], None]


def bench(
    machine: Machine,
    models: Sequence[str],
    *,
    data: Path | None = None,
    batch_size: int = 32,
    img_size: int | str = 224,
    rounds: int = 5,
    least_s: float = 0.2,
    log: Log = print,
) -> Bench:
    """Measures this machine, networks on it, and how fast images reach them.

    Args:
        machine: as `striate.device.choose` gives it; networks run on its device, in both precisions.
        models: names of the catalogue.
        data: images to load; made unless given.
        batch_size: images in a step.
        img_size: of the images that networks see: 224, or "224x320", height first.
        rounds: how often each is measured; the median counts; at least 2.
        least_s: the least seconds that a round lasts.
        log: called with what is measured next.

    Raises:
        UsageError: a network is unknown, or cannot take such images.
        DataError: `data` holds no usable image.
    """
    before = conditions()
    for model in models:
        multiplications(model, img_size)  # one that cannot be run is named before the minutes that follow
    keep_memory()
    log("memory")
    memory_rates = memory(machine, rounds, least_s)
    log("loading images")  # early: data that cannot be read would else be found last
    loading_rates = loading(data, batch_size, img_size, rounds, least_s)
    log("matrix products")
    product_rates = products(machine, rounds, least_s)
    log("convolutions")
    convolution_rates = convolutions(machine, rounds, least_s)
    machines = [choose(machine.device.type, precision) for precision in DTYPES]
    network_speeds: list[Speed] = []
    for model in models:
        log(model)
        network_speeds += speeds(model, machines, batch_size, img_size, rounds, least_s)
    return Bench(machine, before, product_rates, convolution_rates, memory_rates, network_speeds, loading_rates)
