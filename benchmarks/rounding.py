"""What bfloat16 changes, for every weights file that is here: of features and answers, and which rounding does it.

usage: python benchmarks/rounding.py [IMAGES]

Prints Markdown. The pooled vectors of each network are compared with those in float32, by their length; the answers are
those of its own head to so many images of one data set, and to the second half of them those of a head that was fitted
to the first half's vectors in float32 (a probe).
Batch norm is folded throughout. "Shifts apart" rounds filters and maps, and not what is added to a map.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from striate.data import IndexedImages, Loader, batches, read
from striate.device import choose, keep_memory
from striate.features import fit
from striate.graph.fold import folded
from striate.graph.parts import Prefix, vectors
from striate.graph.runtime import extractor
from striate.nets import heads_of, takes_vectors
from striate.pretrained import pretrained

SHARED = Path(__file__).parents[1] / "../shared"
JOBS = {  # weights: data
    "efficientnet_lite0": "hymenoptera",
    "mobilenet_v1_025_224.keras": "hymenoptera",
    "mobilenet_v1_100_224.keras-folded": "hymenoptera",
    "cifar_resnet20": "cifar10-jpeg",
    "cifar_resnet56": "cifar10-jpeg",
    "caffe_lenet": "mnist",
}
BATCH_SIZE = 32
LAYERS = nn.Conv2d | nn.Linear


def plain(prefix: Prefix) -> Prefix:
    """The prefix as it runs: folded, in float32."""
    return type(prefix)(folded(prefix.layers))


def rounded(prefix: Prefix, *, filters: bool, shifts: bool, maps: bool) -> Callable[[Tensor], Tensor]:
    """The prefix in float32, but for what is rounded to bfloat16."""
    module = plain(prefix)
    for layer in module.modules():
        if not isinstance(layer, LAYERS):
            continue
        if filters:
            layer.weight.copy_(layer.weight.bfloat16())
        if shifts and layer.bias is not None:
            layer.bias.copy_(layer.bias.bfloat16())
        if maps:
            layer.register_forward_hook(lambda layer, inputs, output: output.bfloat16().float())
    return lambda images: module(images.bfloat16().float() if maps else images)[0]


def some_in_float32(prefix: Prefix, first: float, depthwise: bool) -> Callable[[Tensor], Tensor]:
    """The prefix in bfloat16, but for a share of its first convolutions, and depthwise ones."""
    module = plain(prefix)
    layers = [layer for layer in module.modules() if isinstance(layer, LAYERS)]
    exact = [
        layer
        for place, layer in enumerate(layers)
        if place < first * len(layers) or (depthwise and getattr(layer, "groups", 1) > 1)
    ]
    for layer in layers:
        if layer not in exact:
            layer.weight.copy_(layer.weight.bfloat16())
            if layer.bias is not None:
                layer.bias.copy_(layer.bias.bfloat16())
            layer.register_forward_hook(lambda layer, inputs, output: output.bfloat16().float())
    return lambda images: module(images)[0]


def main() -> None:
    keep_memory()
    torch.set_grad_enabled(False)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    titles = ("accuracy f32", "bf16", "changed", "probe f32", "bf16", "changed", "error", "filters", "shifts", "maps")
    more = ("shifts apart", "depthwise f32", "first quarter f32", "both f32")
    print(f"| weights | images | {' | '.join((*titles, *more))} |")
    print(f"| --- {'| ---: ' * (1 + len(titles) + len(more))}|")
    for weights, data in JOBS.items():
        print(row(weights, data, count), flush=True)


def row(weights: str, data: str, count: int) -> str:
    """A line of the table."""
    file = SHARED / f"weights/{weights}.safetensors"
    base = pretrained(file if file.exists() else weights)
    net, shown = base.net.requires_grad_(False), base.preprocessing
    index = read(SHARED / "data" / data)
    rows = np.arange(len(index))[:: max(1, len(index) // count)][:count]
    labels = torch.from_numpy(index.labels(rows))
    loader = Loader(IndexedImages(index), batches(rows, BATCH_SIZE), shown)
    images = torch.cat([shown.normalise(batch.images) for batch in loader])
    stages: tuple[str, ...] = net.stages  # type: ignore[assignment]
    prefix = vectors(net, stages[-1:], shown.input_size)

    def run(values: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.cat([values(part).float().clone() for part in images.split(BATCH_SIZE)])

    exact, fast = (extractor(prefix, choose("cpu", name)) for name in ("float32", "bfloat16"))
    expected, found = run(lambda part: exact(part)[0]), run(lambda part: fast(part)[0])
    cells = [f"{len(rows)}"]
    own = net.get_submodule(heads_of(net)[0]) if takes_vectors(net) else None
    named = labels if len(base.classes) == len(index.classes) else None  # else its classes are others
    cells += answers(own, expected, found, named)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    taught, asked = order[: len(rows) // 2], order[len(rows) // 2 :]
    with torch.enable_grad():
        probe = fit([expected[taught]], labels[taught], len(index.classes)).head.requires_grad_(False)
    cells += answers(probe, expected[asked], found[asked], labels[asked])
    kinds = [(True, False, False), (False, True, False), (False, False, True), (True, False, True)]
    variants = [rounded(prefix, filters=a, shifts=b, maps=c) for a, b, c in kinds]
    variants += [
        some_in_float32(prefix, first, depthwise) for first, depthwise in ((0, True), (0.25, False), (0.25, True))
    ]
    cells += [error(found, expected), *(error(run(variant), expected) for variant in variants)]
    return f"| {weights} | {' | '.join(cells)} |"


def answers(head: nn.Module | None, expected: Tensor, found: Tensor, labels: Tensor | None) -> list[str]:
    """A head's accuracy on both kinds of vectors, where there are labels, and the share of its answers that differ."""
    if head is None:
        return [""] * 3
    exact, fast = (head(each).argmax(dim=1) for each in (expected, found))
    right = ["" if labels is None else f"{float((each == labels).float().mean()):.3f}" for each in (exact, fast)]
    return [*right, f"{float((exact != fast).float().mean()):.3f}"]


def error(found: Tensor, expected: Tensor) -> str:
    """The length of the difference, relative to that of what is expected."""
    return f"{float((found - expected).norm() / expected.norm()):.1%}"


if __name__ == "__main__":
    main()
