"""Folds batch norm into the convolution before it.

In evaluation a batch norm is a scale and a shift for each channel. Where it alone reads the output of a convolution,
the scale can be multiplied into the filters and the shift added to the bias. The values are the same, up to rounding,
with one operation fewer for each layer.
"""

import copy

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(module: fx.GraphModule) -> fx.GraphModule:
    """A copy, in evaluation mode, without the batch norms that alone follow a convolution directly.

    Args:
        module: a traced net or a part of one, in which a layer is an operation.
    """
    module = copy.deepcopy(module).eval()
    calls: dict[str, int] = {}
    for node in module.graph.nodes:
        if node.op == "call_module":
            calls[str(node.target)] = calls.get(str(node.target), 0) + 1
    for node in list(module.graph.nodes):
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or len(before.users) != 1:
            continue
        conv, norm = _called(module, before), _called(module, node)
        if not (isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats):
            continue
        if calls[str(before.target)] == calls[str(node.target)] == 1:
            module.set_submodule(str(before.target), fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            module.graph.erase_node(node)
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _called(module: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return module.get_submodule(str(node.target)) if node.op == "call_module" else None
