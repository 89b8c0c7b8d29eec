"""What a bench measured."""

from dataclasses import asdict, dataclass
from typing import Any

from striate.device import Machine
from striate.machine.conditions import Conditions
from striate.machine.demand import Demand, demands
from striate.machine.loading import Loading
from striate.machine.networks import Speed
from striate.machine.timing import Rate


@dataclass(frozen=True)
class Bench:
    """What was measured. Operations, bytes and images are counted for each second."""

    machine: Machine
    conditions: Conditions
    products: dict[str, Rate]
    convolutions: dict[str, Rate]
    memory: dict[str, Rate]
    speeds: list[Speed]
    loading: Loading

    @property
    def on_cpu(self) -> bool:
        """Whether networks run on the cores that load images."""
        return self.machine.device.type == "cpu"

    @property
    def demands(self) -> list[Demand]:
        """What the networks ask of the loader, and what that costs."""
        return demands(self.speeds, self.loading, shared=self.on_cpu)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = asdict(self)
        plain["machine"]["device"] = str(self.machine.device)
        for speed, values in zip(self.speeds, plain["speeds"], strict=True):
            ceiling = self.convolutions[f"{speed.precision}, forward"].median
            values["training_share"] = speed.training_share(ceiling)
            values["inference_share"] = speed.inference_share(ceiling)
        return plain | {"demands": [asdict(demand) for demand in self.demands]}
