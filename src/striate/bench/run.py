"""All measurements of a bench, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from striate.bench.advice import advise
from striate.bench.appetite import Appetite, appetites
from striate.bench.ceilings import DTYPES, convolutions, memory, products
from striate.bench.conditions import Conditions, conditions
from striate.bench.loading import Loading, loading
from striate.bench.networks import Speed, multiplications, speeds
from striate.bench.timing import Rate
from striate.device import Machine, choose, keep_memory

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """What was measured. Operations, bytes and pictures are a second."""

    machine: Machine
    conditions: Conditions
    products: dict[str, Rate]
    convolutions: dict[str, Rate]
    memory: dict[str, Rate]
    speeds: list[Speed]
    loading: Loading

    @property
    def on_cpu(self) -> bool:
        """Whether networks run on the cores that load pictures."""
        return self.machine.device.type == "cpu"

    @property
    def appetites(self) -> list[Appetite]:
        """What the networks take of pictures, beside what the loader gives."""
        return appetites(self.speeds, self.loading, shared=self.on_cpu)

    @property
    def advice(self) -> list[str]:
        """What to change."""
        return advise(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = asdict(self)
        plain["machine"]["device"] = str(self.machine.device)
        for speed, values in zip(self.speeds, plain["speeds"], strict=True):
            ceiling = self.convolutions[f"{speed.precision}, forward"].median
            values["training_share"] = speed.training_share(ceiling)
            values["inference_share"] = speed.inference_share(ceiling)
        return plain | {"appetites": [asdict(one) for one in self.appetites], "advice": self.advice}


def bench(
    machine: Machine,
    models: Sequence[str],
    *,
    data: Path | None = None,
    batch_size: int = 32,
    img_size: int = 224,
    rounds: int = 5,
    least_s: float = 0.2,
    say: Say = print,
) -> Bench:
    """Measures this machine, networks on it, and the way of pictures to them.

    Args:
        machine: as `striate.device.choose` gives it; networks run on its device, in both precisions.
        models: names of the catalogue.
        data: pictures to load; made unless given.
        batch_size: pictures a step.
        img_size: height and width that networks see.
        rounds: of every measurement, of which the median is taken; at least 2.
        least_s: seconds that a round lasts at least.
        say: is told what is measured next.

    Raises:
        UsageError: a network is unknown, or cannot take such pictures.
        DataError: `data` holds no usable picture.
    """
    of_before = conditions()
    for model in models:
        multiplications(model, img_size)  # one that cannot be run is named before the minutes that follow
    keep_memory()
    say("memory")
    of_memory = memory(machine, rounds, least_s)
    say("loading pictures")  # early, lest data that cannot be read be found out last
    of_loading = loading(data, batch_size, img_size, rounds, least_s)
    say("matrix products")
    of_products = products(machine, rounds, least_s)
    say("convolutions")
    of_convolutions = convolutions(machine, rounds, least_s)
    machines = [choose(machine.device.type, precision) for precision in DTYPES]
    of_networks: list[Speed] = []
    for model in models:
        say(model)
        of_networks += speeds(model, machines, batch_size, img_size, rounds, least_s)
    return Bench(machine, of_before, of_products, of_convolutions, of_memory, of_networks, of_loading)
