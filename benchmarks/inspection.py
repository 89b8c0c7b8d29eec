"""The work of `striate inspect resnet152` after imports, beside other counters on the same network, each on its own.

usage: python benchmarks/inspection.py [NET]
"""

import importlib.util
import json
import resource
import subprocess
import sys
import time

import torch

from striate.inspect import find, inspect
from striate.nets import create

ROUNDS = 3
OMITS = {
    "striate": "norms, activations, pooling and interpolation, in its multiplications",
    "torch": "receptive fields, activations, memory, parameters, biases",
    "torchinfo": "receptive fields, jumps, the peak of live tensors, functional code",
    "fvcore": "receptive fields, jumps, memory, biases",
}


def striate(net: str) -> tuple[int, int]:
    """Builds without weights, inspects, counts training memory as well."""
    target = find(net)
    found = inspect(target.net, target.input_shape)
    return found.parameters, found.macs


def torch_counter(net: str) -> tuple[int, int]:
    """PyTorch's FlopCounterMode, also without weights."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        module = create(net).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.empty(1, 3, 224, 224, device="meta"))
    return sum(parameter.numel() for parameter in module.parameters()), counter.get_total_flops() // 2


def torchinfo(net: str) -> tuple[int, int]:
    """torchinfo's summary, with weights, as it is usually called."""
    summary = importlib.import_module("torchinfo").summary(create(net), (1, 3, 224, 224), verbose=0)
    return summary.total_params, summary.total_mult_adds


def fvcore(net: str) -> tuple[int, int]:
    """fvcore's flop count, with weights, as it is usually called."""
    module = create(net).eval()
    analysis = importlib.import_module("fvcore.nn").FlopCountAnalysis(module, torch.zeros(1, 3, 224, 224))
    return sum(parameter.numel() for parameter in module.parameters()), int(analysis.total())


TOOLS = {"striate": striate, "torch": torch_counter, "torchinfo": torchinfo, "fvcore": fvcore}


def measure(tool: str, net: str) -> dict[str, float]:
    """Seconds and additional memory of one run, in this process."""
    if tool != "torch":
        importlib.import_module(tool)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    parameters, macs = TOOLS[tool](net)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "kilobytes": peak, "parameters": parameters, "macs": macs}


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "--one":
        print(json.dumps(measure(sys.argv[2], sys.argv[3])))
        return
    net = sys.argv[1] if len(sys.argv) > 1 else "resnet152"
    print(f"{net} at 224x224, after imports, the best of {ROUNDS} new processes")
    print(f"{'tool':10}{'seconds':>9}{'ratio':>7}{'MB more':>9}{'parameters':>13}{'multiplications':>17}  omits")
    ours = 0.0
    for tool, omits in OMITS.items():
        if importlib.util.find_spec(tool) is None:
            print(f"{tool:10}is not installed here: left out")
            continue
        command = [sys.executable, __file__, "--one", tool, net]
        runs = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(ROUNDS)]
        best = min(runs, key=lambda run: run["seconds"])
        ours = ours or best["seconds"]
        print(
            f"{tool:10}{best['seconds']:9.2f}{best['seconds'] / ours:7.1f}{best['kilobytes'] / 1000:9.1f}"
            f"{best['parameters']:13,}{best['macs']:17,}  {omits}",
            flush=True,
        )


if __name__ == "__main__":
    main()
