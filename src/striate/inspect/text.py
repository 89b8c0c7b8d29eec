"""An inspection as tables for a terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from striate.files import format_bytes
from striate.graph.layers import Layer
from striate.inspect.advice import Advice
from striate.inspect.inspection import Inspection

WIDTH = 160  # columns where output is not a terminal, so that no number is cut


def layer_table(inspection: Inspection, *, every: bool = False) -> Table:
    """One row for each layer; those that only change values in place are left out unless `every`."""
    table = Table(
        "layer",
        "kind",
        title=f"{escape(inspection.name)}, image {format_shape(inspection.input_shape)}",
        title_justify="left",
    )
    for title in (
        "output",
        "activations",
        "parameters",
        "multiplications",
        "with bias",
        "share",
        "receptive field",
        "stride",
    ):
        table.add_column(title, justify="right")
    for layer in inspection.layers:
        if every or not layer.elementwise:
            table.add_row(*cells(layer))
    return table


def cells(layer: Layer) -> tuple[str, ...]:
    """The cells of a layer's row."""
    return (
        escape(layer.name),
        escape(layer.kind),
        format_shape(layer.shape),
        f"{layer.activations:,}",
        f"{layer.parameters:,}",
        f"{layer.macs:,}",
        f"{layer.multiply_adds:,}",
        f"{layer.share:.1%}",
        "?" if layer.receptive_field is None else format_shape(layer.receptive_field),
        "" if layer.jump is None else format_shape(layer.jump),
    )


def summary(inspection: Inspection) -> list[str]:
    """The totals, one line each."""
    bound = "at least " if inspection.uncounted else ""
    inside = inspection.receptive_field
    training = inspection.training_bytes
    kept = "not known: it does not run in training mode" if training is None else f"{format_bytes(training)} an image"
    return [
        f"parameters {inspection.parameters:,}, {format_bytes(inspection.weight_bytes)} with buffers",
        f"multiplications {bound}{inspection.macs:,}; with the biases {bound}{inspection.multiply_adds:,}",
        f"layers with weights {inspection.weighted_layers}, of which {inspection.depth} on the longest way through",
        f"receptive field of the last map {format_shape(inside) if inside else 'not known'}",
        f"memory of activations: inference {format_bytes(inspection.inference_bytes)} at its peak, training {kept}",
        f"memory of gradients in training: {format_bytes(inspection.gradient_bytes)}",
        *doubts(inspection),
    ]


def doubts(inspection: Inspection) -> list[str]:
    """What the numbers leave out, one line each."""
    idle = [f"`{module}` takes no part in this pass: {count:,} parameters" for module, count in inspection.idle.items()]
    uncounted = [
        f"not counted, so the totals are lower bounds: {operation}{_times(times)}"
        for operation, times in inspection.uncounted.items()
    ]
    unfollowed = [
        f"receptive fields are not followed past {operation}{_times(times)}"
        for operation, times in inspection.unfollowed.items()
    ]
    return idle + uncounted + unfollowed


def _times(count: int) -> str:
    return f", {count} times" if count > 1 else ""


def comparison_rows(inspections: Sequence[Inspection]) -> dict[str, list[str]]:
    """The totals of several networks by heading, one value for each network."""
    return {
        "image": [format_shape(x.input_shape) for x in inspections],
        "parameters": [f"{x.parameters:,}" for x in inspections],
        "multiplications": [f"{'at least ' if x.uncounted else ''}{x.macs:,}" for x in inspections],
        "multiply-adds with bias": [f"{'at least ' if x.uncounted else ''}{x.multiply_adds:,}" for x in inspections],
        "activations": [f"{x.activations:,}" for x in inspections],
        "layers with weights": [f"{x.weighted_layers}" for x in inspections],
        "of these on the longest way": [f"{x.depth}" for x in inspections],
        "receptive field": ["?" if x.receptive_field is None else format_shape(x.receptive_field) for x in inspections],
        "weights": [format_bytes(x.weight_bytes) for x in inspections],
        "activations, inference": [format_bytes(x.inference_bytes) for x in inspections],
        "activations, training": [
            "?" if x.training_bytes is None else format_bytes(x.training_bytes) for x in inspections
        ],
    }


def comparison(inspections: Sequence[Inspection]) -> Table:
    """Several networks side by side, one column each."""
    table = Table("for one image", *(escape(x.name) for x in inspections))
    for column in table.columns[1:]:
        column.justify = "right"
    for title, values in comparison_rows(inspections).items():
        table.add_row(title, *values)
    return table


def advice_lines(found: Sequence[Advice]) -> list[str]:
    """One line each, or one that says there is nothing to say."""
    return [f"{advice.reason}." for advice in found] or ["nothing odd was found."]


def format_shape(shape: Sequence[float]) -> str:
    """The sides of a shape, in its order, such as 28x28x6."""
    return "x".join(f"{n:g}" if isinstance(n, float) else str(n) for n in shape)
