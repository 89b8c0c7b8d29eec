"""Which stages of a net are frozen, and keeping them so while the rest trains."""

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from striate.errors import UsageError

WITHIN = "encoder."  # before the names of a net that another one is made over


def frozen_stages(net: nn.Module, spec: str) -> tuple[str, ...]:
    """The stages that `--freeze` means, from the input on.

    Args:
        net: of which `stages` names what can be frozen, input to output. The end of a stage's name will do where no
            other stage ends so: `layer3` for `encoder.layer3`.
        spec: "all" for every stage, so that the head alone learns, and what decodes the maps of an encoder; a stage's
            name, for it and all before it; a share of the stages, from 0 to 1, rounded to whole stages; "none".

    Raises:
        UsageError: `spec` is none of these.

    >>> from striate.nets import create
    >>> frozen_stages(create("lenet5"), "conv2"), frozen_stages(create("lenet5"), "0.25")
    (('conv1', 'conv2'), ('conv1',))
    """
    stages: tuple[str, ...] = tuple(getattr(net, "stages", ()))
    found = _stage_named(stages, spec)
    if found is not None:
        return stages[: found + 1]
    share = {"none": 0.0, "all": 1.0}.get(spec)
    if share is None:
        try:
            share = float(spec)
        except ValueError:
            share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(
            f"`freeze`: expected all, none, a share from 0 to 1, or a stage of the network; got {spec}. "
            f"Its stages are {', '.join(stages)}."
        )
    encoder = tuple(stage for stage in stages if stage.startswith(WITHIN)) or stages
    return encoder[: round(share * len(encoder))]


def redrawn_stages(net: nn.Module, stage: str) -> tuple[str, ...]:
    """A stage and all after it; none for "".

    Raises:
        UsageError: it is no stage of the net.
    """
    stages: tuple[str, ...] = tuple(getattr(net, "stages", ()))
    if not stage:
        return ()
    found = _stage_named(stages, stage)
    if found is None:
        raise UsageError(f"`redraw`: expected a stage of the network; got {stage}. Its stages are {', '.join(stages)}.")
    return stages[found:]


def _stage_named(stages: Sequence[str], name: str) -> int | None:
    """The place of a stage by its name, or by the end of it where no other stage ends so; None where there is none."""
    if name in stages:
        return stages.index(name)
    ending = [place for place, stage in enumerate(stages) if stage.endswith(f".{name}")]
    is_number = name[:1].isdigit()  # which is a share
    return ending[0] if len(ending) == 1 and not is_number else None


def freeze(net: nn.Module, frozen: Sequence[str]) -> None:
    """Lets the parameters and the running statistics of some stages stay as they are, to the bit.

    Their parameters no longer ask for gradients. `net.train()` may still say otherwise of their mode: each of their
    modules goes back to evaluation before it is called, so that batch norm uses its statistics and leaves them alone.
    Copies of the net are frozen too.

    Args:
        net: changed in place.
        frozen: names of stages, as `frozen_stages` gives them.
    """
    for stage in frozen:
        module = net.get_submodule(stage).requires_grad_(False).eval()
        for part in module.modules():
            part.register_forward_pre_hook(_evaluate)


def keep_statistics(net: nn.Module, drawn: Sequence[str] = ()) -> None:
    """Lets batch norms use their running statistics while they learn, and leave them alone, to the bit.

    Args:
        net: changed in place; copies of it keep theirs too.
        drawn: names of modules that begin with drawn values: their batch norms have no statistics to keep yet.
    """
    new = {id(part) for name in drawn for part in net.get_submodule(name).modules()}
    for module in net.modules():
        if isinstance(module, _BatchNorm) and id(module) not in new:
            module.register_forward_pre_hook(_evaluate)


def _evaluate(module: nn.Module, inputs: Any) -> None:
    """Puts a module alone, not its children, in evaluation mode."""
    module.training = False
