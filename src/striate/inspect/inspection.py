"""The cost of a network: a row for each layer, and the totals."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from striate.graph.layers import Layer


@dataclass
class Inspection:
    """What a network costs, for one image."""

    name: str
    input_shape: tuple[int, int, int]
    layers: list[Layer]
    parameters: int
    """All that the network holds, including those in `idle`."""

    idle: dict[str, int]
    """Modules whose parameters this pass does not use, such as side branches, and how many they hold."""

    weight_bytes: int
    """The size of parameters and buffers."""

    gradient_bytes: int
    """The size of the gradients that training holds beside the weights; an optimiser's state is extra."""

    inference_bytes: int
    """The peak of the tensors that live at once, including the image; workspace inside an operation is left out."""

    training_bytes: int | None
    """What one image keeps for the backward pass; None where the network cannot run in training mode."""

    uncounted: dict[str, int] = field(default_factory=dict)
    """Operations whose multiplications are not known, and how often they ran: the totals are lower bounds then."""

    unfollowed: dict[str, int] = field(default_factory=dict)
    """Operations after which receptive fields are not known, and how often they ran."""

    @cached_property
    def macs(self) -> int:
        """Multiplications."""
        return sum(layer.macs for layer in self.layers)

    @cached_property
    def multiply_adds(self) -> int:
        """Multiplications, and one more for each output to which a bias is added."""
        return sum(layer.multiply_adds for layer in self.layers)

    @cached_property
    def activations(self) -> int:
        """How many values the outputs of all layers have."""
        return sum(layer.activations for layer in self.layers)

    @property
    def weighted_layers(self) -> int:
        """Convolutions and dense layers, projections in shortcuts and parallel branches included."""
        return sum(layer.weighted for layer in self.layers)

    @property
    def depth(self) -> int:
        """Convolutions and dense layers on the longest way through: the 18 of ResNet-18, the 22 of GoogLeNet."""
        return max((layer.depth for layer in self.layers), default=0)

    @property
    def receptive_field(self) -> tuple[int, int] | None:
        """That of the last layer that still is a map with rows and columns."""
        return next((layer.receptive_field for layer in reversed(self.layers) if layer.jump), None)

    def totals(self) -> dict[str, Any]:
        """What the whole network costs."""
        return {
            "parameters": self.parameters,
            "macs": self.macs,
            "multiply_adds": self.multiply_adds,
            "lower_bound": bool(self.uncounted),
            "activations": self.activations,
            "weighted_layers": self.weighted_layers,
            "depth": self.depth,
            "receptive_field": self.receptive_field,
            "weight_bytes": self.weight_bytes,
            "gradient_bytes": self.gradient_bytes,
            "inference_bytes": self.inference_bytes,
            "training_bytes": self.training_bytes,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "name": self.name,
            "input_shape": self.input_shape,
            "totals": self.totals(),
            "idle": self.idle,
            "uncounted": self.uncounted,
            "unfollowed": self.unfollowed,
            "layers": [asdict(layer) for layer in self.layers],
        }
