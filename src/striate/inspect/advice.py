"""What is odd about a network's numbers, each with its number and its reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from striate.arithmetic import conv_macs
from striate.graph.layers import Layer
from striate.inspect.inspection import Inspection

SHRINK = 5.0  # times fewer activations: halving rows and columns gives 4, a little more where sizes are odd
HEAVY = 0.5  # share of all parameters
NARROW = 16  # channels: fewer are a bottleneck already
SAVING, WORTH = 1.5, 0.05  # times fewer multiplications, in a layer with at least this share of them


@dataclass(frozen=True)
class Advice:
    """One thing that is odd.

    Args:
        kind: shrinks, even, unseen, dense, small_receptive_field or bottleneck.
        layers: the names of those concerned.
        number: what was measured.
        reason: a sentence that says it.
    """

    kind: str
    layers: tuple[str, ...]
    number: float
    reason: str


def advise(inspection: Inspection) -> list[Advice]:
    """Everything odd about a network; an empty list where nothing is."""
    rules = (_shrinks, _even_filters, _unseen_pixels, _heavy_dense_layer, _small_receptive_field, _bottlenecks)
    return [advice for rule in rules for advice in rule(inspection)]


def _shrinks(inspection: Inspection) -> Iterator[Advice]:
    for layer in inspection.layers:
        if layer.window and layer.shape[1:] != (1, 1) and max(layer.window["stride"]) > 1:
            h, w = layer.window["input_size"]
            before = (layer.channels[0] if layer.channels else layer.shape[0]) * h * w
            if before > SHRINK * layer.activations:
                factor = before / layer.activations
                yield Advice(
                    "shrinks",
                    (layer.name,),
                    factor,
                    f"the number of activations falls {factor:.1f} times at `{layer.name}`, from {before:,} to "
                    f"{layer.activations:,}; more than {SHRINK:g} times in one layer loses detail that later ones need",
                )


def _even_filters(inspection: Inspection) -> Iterator[Advice]:
    for layer in inspection.layers:
        if not layer.weighted or not layer.window or "transposed" in layer.kind:
            continue
        kernel_size, stride = layer.window["kernel_size"], layer.window["stride"]
        if any(k % 2 == 0 and s < k for k, s in zip(kernel_size, stride, strict=True)):
            yield Advice(
                "even",
                (layer.name,),
                max(kernel_size),
                f"`{layer.name}` has an even filter, {kernel_size[0]}x{kernel_size[1]}: it has no centre, so no equal "
                "padding at both ends keeps the size, and its map lies half a pixel beside its input",
            )


def _unseen_pixels(inspection: Inspection) -> Iterator[Advice]:
    for layer in inspection.layers:
        rows, columns = layer.unseen
        if rows or columns:
            h, w = layer.window["input_size"]
            lost = 1 - (h - rows) * (w - columns) / (h * w)
            yield Advice(
                "unseen",
                (layer.name,),
                lost,
                f"{rows} of {h} rows and {columns} of {w} columns before `{layer.name}`, {lost:.1%} of its input, are "
                "read by no window; another input size, padding or stride would use them",
            )


def _heavy_dense_layer(inspection: Inspection) -> Iterator[Advice]:
    for layer in inspection.layers:
        share = layer.parameters / max(inspection.parameters, 1)
        if layer.kind == "dense" and share > HEAVY:
            yield Advice(
                "dense",
                (layer.name,),
                share,
                f"the dense layer `{layer.name}` holds {share:.0%} of the parameters, {layer.parameters:,}; "
                "the mean of each map instead of all its positions would need a fraction of them",
            )


def _small_receptive_field(inspection: Inspection) -> Iterator[Advice]:
    maps = [layer for layer in inspection.layers if layer.jump and layer.receptive_field]
    if not maps or any(layer.receptive_field is None for layer in inspection.layers):
        return
    h, w = inspection.input_shape[1:]
    largest = max(maps, key=lambda layer: min(layer.receptive_field or (0, 0)))
    rows, columns = largest.receptive_field or (0, 0)
    if rows < h or columns < w:
        yield Advice(
            "small_receptive_field",
            (largest.name,),
            min(rows / h, columns / w),
            f"the largest receptive field of a map, {rows}x{columns} at `{largest.name}`, is smaller than the image, "
            f"{h}x{w}: no position sees all of an object that fills it",
        )


def _bottlenecks(inspection: Inspection) -> Iterator[Advice]:
    """One piece of advice for all such layers: a deep network has many that are alike."""
    names, savings, now, then = [], [], 0, 0
    for layer in inspection.layers:
        middle, through = _through_bottleneck(layer)
        if through and layer.share >= WORTH and layer.macs >= SAVING * through:
            names.append(layer.name)
            savings.append(f"`{layer.name}` to {middle} channels, {layer.macs / through:.1f} times fewer")
            now, then = now + layer.macs, then + through
    if names:
        yield Advice(
            "bottleneck",
            tuple(names),
            now / then,
            f"a 1x1 convolution to fewer channels before each of these would leave {then:,} of their {now:,} "
            f"multiplications, {now / then:.1f} times fewer: {'; '.join(savings)}",
        )


def _through_bottleneck(layer: Layer) -> tuple[int, int]:
    """Half the channels of the narrower side, and the multiplications with a 1x1 convolution to that many first.

    Both are 0 where the layer is not an ordinary convolution whose filter covers neighbours.
    """
    if not layer.window or not layer.channels or layer.channels[2] > 1 or "transposed" in layer.kind:
        return 0, 0
    n_in, n_out, _ = layer.channels
    kernel_size, middle = layer.window["kernel_size"], min(n_in, n_out) // 2
    if kernel_size == (1, 1) or n_in < NARROW:
        return 0, 0
    narrow = conv_macs(n_in, middle, 1, layer.window["input_size"])
    return middle, narrow + conv_macs(middle, n_out, kernel_size, (layer.shape[-2], layer.shape[-1]))
