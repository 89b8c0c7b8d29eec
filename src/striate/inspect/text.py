"""An inspection as tables for a terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from striate.graph.layers import Layer
from striate.inspect.advice import Finding
from striate.inspect.inspection import Inspection

WIDTH = 160  # columns where output is no terminal, so that no number is cut


def layer_table(inspection: Inspection, *, every: bool = False) -> Table:
    """A row a layer; those that only change values in place are left out unless `every`."""
    table = Table(
        "layer", "kind", title=f"{escape(inspection.name)}, image {by(inspection.input_shape)}", title_justify="left"
    )
    for title in ("output", "activations", "parameters", "multiplications", "with bias", "share", "field", "stride"):
        table.add_column(title, justify="right")
    for layer in inspection.layers:
        if every or not layer.elementwise:
            table.add_row(*cells(layer))
    return table


def cells(layer: Layer) -> tuple[str, ...]:
    """A layer's row."""
    return (
        escape(layer.name),
        escape(layer.kind),
        by(layer.shape),
        f"{layer.activations:,}",
        f"{layer.parameters:,}",
        f"{layer.macs:,}",
        f"{layer.multiply_adds:,}",
        f"{layer.share:.1%}",
        "?" if layer.receptive_field is None else by(layer.receptive_field),
        "" if layer.jump is None else by(layer.jump),
    )


def summary(inspection: Inspection) -> list[str]:
    """The totals, a line each."""
    bound = "at least " if inspection.uncounted else ""
    inside = inspection.receptive_field
    training = inspection.training_bytes
    kept = "not known: it does not run in training mode" if training is None else f"{size(training)} an image"
    return [
        f"parameters {inspection.parameters:,}, {size(inspection.weight_bytes)} with buffers",
        f"multiplications {bound}{inspection.macs:,}; with the biases {bound}{inspection.multiply_adds:,}",
        f"layers with weights {inspection.weighted_layers}, of which {inspection.depth} on the longest way through",
        f"receptive field of the last map {by(inside) if inside else 'not known'}",
        f"memory of activations: inference {size(inspection.inference_bytes)} at its peak, training {kept}",
        f"memory of gradients in training: {size(inspection.gradient_bytes)}",
        *doubts(inspection),
    ]


def doubts(inspection: Inspection) -> list[str]:
    """What the numbers leave out, a line each."""
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
    """Totals of several networks, a value each under every heading."""
    return {
        "image": [by(x.input_shape) for x in inspections],
        "parameters": [f"{x.parameters:,}" for x in inspections],
        "multiplications": [f"{'at least ' if x.uncounted else ''}{x.macs:,}" for x in inspections],
        "multiply-adds with bias": [f"{'at least ' if x.uncounted else ''}{x.multiply_adds:,}" for x in inspections],
        "activations": [f"{x.activations:,}" for x in inspections],
        "layers with weights": [f"{x.weighted_layers}" for x in inspections],
        "of these on the longest way": [f"{x.depth}" for x in inspections],
        "receptive field": ["?" if x.receptive_field is None else by(x.receptive_field) for x in inspections],
        "weights": [size(x.weight_bytes) for x in inspections],
        "activations, inference": [size(x.inference_bytes) for x in inspections],
        "activations, training": ["?" if x.training_bytes is None else size(x.training_bytes) for x in inspections],
    }


def comparison(inspections: Sequence[Inspection]) -> Table:
    """Several networks side by side, a column each."""
    table = Table("for one image", *(escape(x.name) for x in inspections))
    for column in table.columns[1:]:
        column.justify = "right"
    for title, values in comparison_rows(inspections).items():
        table.add_row(title, *values)
    return table


def findings(found: Sequence[Finding]) -> list[str]:
    """A line each, or one that says there is none."""
    return [f"{finding.reason}." for finding in found] or ["nothing odd was found."]


def by(shape: Sequence[float]) -> str:
    """Such as 28x28x6, in the order of `shape`."""
    return "x".join(f"{n:g}" if isinstance(n, float) else str(n) for n in shape)


def size(count: int) -> str:
    """Bytes for people: 4.0 MB is 4,000,000."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"
