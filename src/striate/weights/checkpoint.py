"""Checkpoints as people have them: a dict of tensors within dicts, under prefixes, beside other things."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from striate.files import list_names

DEPTH = 4  # of dicts within dicts
AVERAGES = (  # which go before the weights that they are averages of
    "state_dict_ema",  # timm
    "model_ema",  # torchvision's references, timm
    "ema_state_dict",
    "model_ema_state_dict",
    "params_ema",
    "ema_model",
    "ema",
    "teacher",  # of self-distillation: DINO, iBOT, mean teachers
)
WRAPPERS = (  # under which checkpoints keep their tensors, the likeliest first
    "state_dict",  # Lightning, and most
    "model_state_dict",
    "model_state",
    "model",  # fastai, DeiT, ConvNeXt
    "module",  # DeepSpeed
    "net",
    "network",
    "weights",
    "params",
    "student",
)
OPTIMISER = "opt"  # what the keys begin with under which checkpoints keep the state of an optimiser
PARAM_GROUPS = "param_groups"  # a key of each such state
PREFIXES = ("module.",)  # DistributedDataParallel and AveragedModel
INSIDE = (  # what wrappers put between the names of modules
    "_orig_mod.",  # torch.compile
    "_fsdp_wrapped_module.",
    "_checkpoint_wrapped_module.",
)
COUNTER = "num_batches_tracked"  # how many batches a batch norm has seen: no weight, and older files lack it
Found = tuple[tuple[str, ...], dict[str, Tensor]]  # the keys that lead to a dict, and its tensors


@dataclass(frozen=True)
class Checkpoint:
    """Tensors of a file, by the names of the network that they were saved of."""

    tensors: dict[str, Tensor]

    said: tuple[str, ...] = ()
    """A sentence for each choice that was made, and for what was left out."""

    scaling: tuple[float, float] | None = None
    """(scale, offset), where a layer of the file's network makes scale * x + offset of pixels x of 0 to 255."""


def unwrapped(content: object) -> Checkpoint | None:
    """The tensors of what `torch.save` was given: itself a dict of them, or one that holds such a dict.

    Of several dicts of tensors, a moving average goes before the weights that it is of, a key of `WRAPPERS` before any
    other, and then the one with most values. What wrappers put into names (`module.`, `_orig_mod.`) is taken out. None
    where there is no dict of tensors.
    """
    found = list(_dicts(content))
    weights = sorted((each for each in found if not is_average(each[0])), key=_rank)
    averages = sorted((each for each in found if is_average(each[0])), key=_rank)
    if not found:
        return None
    said = []
    path, tensors = weights[0] if weights else averages[0]
    if averages:
        whole = [each for each in averages if _names(each[1]) >= _names(tensors)]
        shown = ".".join((whole or averages)[0][0])
        if whole:
            path, tensors = whole[0]
            said.append(f"It holds a moving average of the weights (`{shown}`), which is taken.")
        else:
            said.append(f"Its moving average (`{shown}`) is not of all tensors, so the weights themselves are taken.")
    elif others := [".".join(each[0]) or "the file itself" for each in weights[1:]]:
        said.append(f"Of its dicts of tensors, `{'.'.join(path)}` is taken, and left out: {list_names(others)}.")
    return Checkpoint(without_prefixes(tensors), tuple(said))


def is_average(path: Sequence[str]) -> bool:
    """Whether keys, or names of modules, lead to a moving average of weights."""
    return any(key in AVERAGES for key in path)


def _dicts(content: object) -> Iterator[Found]:
    """The dicts that hold tensors, within dicts; plain values may stand beside the tensors."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), content)]
    seen: set[int] = set()  # a dict may hold itself
    for path, value in waiting:
        if not isinstance(value, Mapping) or id(value) in seen or PARAM_GROUPS in value:
            continue
        seen.add(id(value))
        tensors = {name: each for name, each in value.items() if isinstance(name, str) and isinstance(each, Tensor)}
        only_tensors = not path and len(tensors) == len(value)
        if tensors and (only_tensors or any(tensor.ndim > 1 for tensor in tensors.values())):
            if len(tensors) > 1:
                tensors.pop("n_averaged", None)  # of AveragedModel, which is no weight
            yield path, tensors
        if len(path) < DEPTH:
            inner = ((key, each) for key, each in value.items() if isinstance(key, str))
            waiting += [((*path, key), each) for key, each in inner if not key.lower().startswith(OPTIMISER)]


def _rank(found: Found) -> tuple[int, int, int]:
    """By how likely a dict of tensors is that of the network."""
    path, tensors = found
    known = [(*AVERAGES, *WRAPPERS).index(key) for key in path if key in (*AVERAGES, *WRAPPERS)]
    return min(known, default=len(AVERAGES + WRAPPERS)), len(path), -sum(t.numel() for t in tensors.values())


def _names(tensors: Mapping[str, Tensor]) -> set[str]:
    return {name for name in without_prefixes(tensors) if not name.endswith(COUNTER)}


def without_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors without what wrappers have put into their names: before every one of them, or anywhere."""
    new = dict(tensors)
    for inside in INSIDE:
        if any(inside in name for name in new):
            short = {name.replace(inside, ""): tensor for name, tensor in new.items()}
            new = short if len(short) == len(new) else new
    while True:
        prefix = next((p for p in PREFIXES if new and all(name.startswith(p) for name in new)), None)
        if prefix is None:
            return new
        new = {name.removeprefix(prefix): tensor for name, tensor in new.items()}


def left_out(names: Sequence[str]) -> str:
    """The sentence about tensors of a file that a network does not have."""
    if len(names) == 1:
        return f"A tensor that the network lacks was left out: {list_names(names)}."
    return f"{len(names)} tensors that the network lacks were left out: {list_names(names)}."
