"""Inspections as one page that needs nothing else: bars of activations, parameters and multiplications by depth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from striate.graph.layers import Layer
from striate.inspect.advice import advise
from striate.inspect.inspection import Inspection
from striate.inspect.text import advice_lines, comparison_rows, format_shape, summary


def page(inspections: Sequence[Inspection]) -> str:
    """HTML without scripts or outside resources; every name is escaped."""
    here = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=here, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        title="Cost of " + ", ".join(inspection.name for inspection in inspections),
        several=len(inspections) > 1,
        comparison=comparison_rows(inspections).items(),
        views=[_view(inspection) for inspection in inspections],
    )


def _view(inspection: Inspection) -> dict[str, Any]:
    largest = {
        "activations": max((layer.activations for layer in inspection.layers), default=1),
        "parameters": max((layer.parameters for layer in inspection.layers), default=1),
        "macs": max((layer.macs for layer in inspection.layers), default=1),
    }
    return {
        "name": inspection.name,
        "image": format_shape(inspection.input_shape),
        "summary": summary(inspection),
        "advice": advice_lines(advise(inspection)),
        "rows": [_row(layer, largest) for layer in inspection.layers if not layer.elementwise],
    }


def _row(layer: Layer, largest: dict[str, int]) -> dict[str, Any]:
    facts = [f"output {format_shape(layer.shape)}"]
    if layer.receptive_field:
        facts.append(f"receptive field {format_shape(layer.receptive_field)}")
    if layer.jump:
        facts.append(f"stride {format_shape(layer.jump)}")
    if layer.share:
        facts.append(f"{layer.share:.1%} of the multiplications")
    values = (
        ("a", "act.", layer.activations, "activations"),
        ("p", "par.", layer.parameters, "parameters"),
        ("m", "mult.", layer.macs, "macs"),
    )
    bars = [
        {"style": style, "label": f"{value:,} {unit}", "width": f"{100 * value / max(largest[key], 1):.2f}"}
        for style, unit, value, key in values
        if value
    ]
    return {"name": layer.name, "kind": layer.kind, "facts": ", ".join(facts), "bars": bars}
