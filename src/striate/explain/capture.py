"""What modules give while a network runs, with and without a gradient; nothing stays behind in the network."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from striate.data.preprocessing import Preprocessing
from striate.device import Machine
from striate.errors import UsageError, nearest
from striate.model import Model


@contextmanager
def captured(net: nn.Module, layers: Sequence[str], *, leaves: bool = False) -> Iterator[dict[str, Tensor]]:
    """Keeps what some modules give in each forward pass inside the context; the hooks end with it.

    Args:
        net: in whichever mode it is to run.
        layers: names of its modules, each of which gives one tensor.
        leaves: cut the graph at each output and make it a leaf that wants a gradient, so that a gradient with respect
            to it needs none of what comes before. The rest of the network goes on with a copy, which an operation in
            place may change.

    Raises:
        UsageError: if the net has no such module, or one gives no tensor.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> Tensor:
            if not isinstance(output, Tensor):
                raise UsageError(f"`layer`: expected a module that gives one tensor; got {name}, which gives others.")
            found[name] = output.detach().requires_grad_() if leaves else output.detach().clone()
            return found[name].clone() if leaves else output

        return hook

    hooks = []
    try:
        for name in layers:
            module = module_named(net, name)
            hooks.append(module.register_forward_hook(keep(name)))
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def module_named(net: nn.Module, name: str) -> nn.Module:
    """A module of a network.

    Raises:
        UsageError: if there is none of this name.
    """
    modules: dict[str, nn.Module] = dict(net.named_modules())
    if name not in modules:
        raise UsageError(
            f"`layer`: expected a module of the network; got {name}. {nearest(name, filter(None, modules))}"
        )
    return modules[name]


@contextmanager
def gradients() -> Iterator[None]:
    """Records gradients inside the context, in whichever mode the caller is."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the context; every module has its own mode again after it."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def explained_layers(net: nn.Module) -> tuple[str, ...]:
    """The names of the modules whose maps explain the answer: one, or of an ensemble one for each member.

    Raises:
        UsageError: if the net names none.
    """
    layers = getattr(net, "explained_layers", None) or (getattr(net, "explained_layer", None),)
    if None in layers:
        raise UsageError(
            f"`model`: expected a network with an explained layer, a map; got {type(net).__name__}. "
            "Try --method occlusion, which needs none."
        )
    return tuple(layers)


def pixels(images: Tensor, preprocessing: Preprocessing, machine: Machine) -> Tensor:
    """The network's input (N, C, H, W) of uint8 images (N, H, W, C), on the device.

    Explanations are computed in float32 even where the machine would predict in bfloat16.
    """
    return machine.images(preprocessing.normalise(images.to(machine.device)))


def class_scores(outputs: Tensor, classes: int) -> Tensor:
    """(N, classes) one score a class: logits; of a map of logits (N, classes, H, W), their mean over the pixels."""
    return outputs.flatten(2).mean(dim=2)[:, :classes] if outputs.ndim > 2 else outputs[:, :classes]


def scores_of(model: Model, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The class scores (N, classes) of inputs (N, C, H, W), with a gradient where the caller wants one; and the shares.

    The shares (N, classes) are the probabilities of the classes, on the CPU and without a gradient.
    """
    outputs = model.net(inputs).float()
    scores = class_scores(outputs, len(model.classes))
    shares = model.task.probabilities(outputs.detach().cpu())
    if shares is None:
        shares = scores.detach().cpu().softmax(dim=1)
    return scores, class_scores(shares.float(), len(model.classes))


def probabilities_of(model: Model, inputs: Tensor, batch_size: int) -> Tensor:
    """(N, classes) the probability of each class for inputs (N, C, H, W), without a gradient, on the CPU."""
    with torch.inference_mode(), evaluating(model.net):
        return torch.cat([scores_of(model, part)[1] for part in inputs.split(batch_size)])


def likeness_to(model: Model, image: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that tells how much the answers to inputs (N, C, H, W) are the answer to an image (1, C, H, W).

    It gives (N,) from 0 to 1, without a gradient, on the CPU: of boxes, how far they overlap.
    """

    @torch.inference_mode()
    def outputs_of(inputs: Tensor) -> Tensor:
        with evaluating(model.net):
            outputs: Tensor = model.net(inputs).float().cpu()
        return outputs

    wanted = model.task.as_targets(outputs_of(image))

    def alike(inputs: Tensor) -> Tensor:
        outputs = outputs_of(inputs)
        each = {name: value.expand(len(outputs), *value.shape[1:]) for name, value in wanted.items()}
        return model.task.image_scores(outputs, each)

    return alike


def has_one_class(model: Model) -> bool:
    """Whether every answer names the same class, so that its probability is 1 and has no reason."""
    return len(model.classes) == 1


def require_classes(model: Model) -> None:
    """Refuses a model whose answers cannot differ in their class.

    Raises:
        UsageError: if the model has a single class.
    """
    if has_one_class(model):
        raise UsageError(
            f"`model`: expected one of two classes or more, whose answers have a reason; got one of {model.classes[0]} "
            "alone. Try --method occlusion, which shows what its boxes depend on."
        )


def class_numbers(model: Model, names: str | int | Sequence[str | int] | None, answers: Tensor) -> Tensor:
    """(N,) the class to explain for each image: the answers, or the same named class for all, or one for each.

    Raises:
        UsageError: if a name is none of the model's classes, or there are not as many as images.
    """
    if names is None:
        return answers.cpu()
    wanted = [names] * len(answers) if isinstance(names, str | int) else list(names)
    if len(wanted) != len(answers):
        raise UsageError(f"`classes`: expected {len(answers)}, one for each image; got {len(wanted)}.")
    return torch.tensor([class_number(model.classes, name) for name in wanted], dtype=torch.int64)


def class_number(classes: Sequence[str], name: str | int) -> int:
    """The number of a class, given by its name or number.

    Raises:
        UsageError: if there is none.
    """
    if isinstance(name, str):
        if name not in classes:
            raise UsageError(f"`class`: expected a class of the model; got {name}. {nearest(name, classes)}")
        return classes.index(name)
    if not 0 <= name < len(classes):
        raise UsageError(f"`class`: expected a number under {len(classes)}; got {name}.")
    return name
