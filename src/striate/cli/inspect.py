"""striate inspect: the exact cost of a network, one row for each layer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from striate.cli.flags import JsonOutput, require_apart
from striate.errors import UsageError
from striate.files import json_text
from striate.recipe.size import height_and_width

if TYPE_CHECKING:
    from striate.inspect import Inspection


def inspect(
    model: str,
    /,
    *models: str,
    img_size: str = "",
    num_classes: int | None = None,
    in_channels: int | None = None,
    all_rows: Annotated[bool, Parameter(name="--all", negative="")] = False,
    advice: Annotated[bool, Parameter(negative="")] = False,
    compare: Annotated[bool, Parameter(negative="")] = False,
    json_output: JsonOutput = False,
    html: Path | None = None,
) -> None:
    """Count what a network costs, one row for each layer, without any weights; several networks are compared.

    MODEL is a name of the catalogue, a model file (.safetensors), `timm/NAME` where timm is installed, or
    `package.module:factory`, anything importable from here that makes an nn.Module. With several networks, --json gives
    a list.

    Args:
        model: Network to inspect.
        models: More networks, for a comparison side by side.
        img_size: Size of the images, as 224 or 224x320 (height first); the network's own unless given.
        num_classes: Classes of its head; its own unless given.
        in_channels: Channels of the images; its own unless given.
        all_rows: Also show layers that only change values in place, such as activations and dropout.
        advice: Say what is odd: lost pixels, heavy layers, savings.
        compare: Compare side by side, as is always done with several networks; refuse a single one.
        html: Also write one self-contained page to this file.
    """
    from striate.files import write_whole
    from striate.inspect import find
    from striate.inspect import inspect as count
    from striate.inspect.page import page

    names = [model, *models]
    if compare and len(names) < 2:
        raise UsageError(f"`--compare`: expected at least two networks; got {model} alone.")
    size = height_and_width(img_size, "--img-size") if img_size else None
    if html is not None:
        require_apart("--html", html, map(Path, names))
    targets = (find(n, num_classes=num_classes, in_channels=in_channels, img_size=size) for n in names)
    inspections = [count(target.net, target.input_shape, target.name) for target in targets]
    if html is not None:
        write_whole(html, lambda aside: aside.write_text(page(inspections), encoding="utf-8"))
    if json_output:
        _print_json(inspections, advice)
    else:
        _print_text(inspections, all_rows, advice)


def _print_json(inspections: "list[Inspection]", advice: bool) -> None:
    from striate.inspect import advise

    found = [
        inspection.to_dict() | ({"advice": [vars(found) for found in advise(inspection)]} if advice else {})
        for inspection in inspections
    ]
    print(json_text(found[0] if len(found) == 1 else found, indent=2))


def _print_text(inspections: "list[Inspection]", all_rows: bool, advice: bool) -> None:
    from striate.console import Page
    from striate.inspect import advise, text

    console = Page()
    if not console.is_terminal:
        console = Page(width=text.WIDTH)
    alone = len(inspections) == 1
    console.print(text.layer_table(inspections[0], every=all_rows) if alone else text.comparison(inspections))
    for inspection in inspections:
        lines = text.summary(inspection) if alone else text.doubts(inspection)
        lines += text.advice_lines(advise(inspection)) if advice else []
        for line in lines:
            prefix = "" if alone else f"{inspection.name}: "
            console.print(f"{prefix}{line}", markup=False, highlight=False, soft_wrap=True)
