"""The plainest training there is: a network, images in memory, a recipe's optimiser and schedule, one loop."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from striate.recipe import TrainingRecipe
from striate.studies.images import Images
from striate.studies.study import Trial
from striate.training.optimizer import build
from striate.training.schedule import lr_at

EVALUATED = 512  # images at a time
Loss = Callable[[Tensor, Tensor], Tensor]
Change = Callable[[Tensor, Tensor, int], Tensor]


def recipe(trial: Trial, epochs: int, **settings: float | str) -> TrainingRecipe:
    """The recipe of a study's training: Nesterov's momentum, a cosine, no decay of the weights; `settings` differ.

    Args:
        trial: whose seed and scale it has.
        epochs: of the short form.
        settings: as in `striate.recipe.TrainingRecipe`.
    """
    plain = {
        "opt": "nesterov",
        "lr": 0.05,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "warmup_epochs": 0.0,
        "batch_size": 64,
    }
    values = plain | settings
    return TrainingRecipe(epochs=trial.epochs(epochs), seed=trial.seed, **values)  # type: ignore[arg-type]


def learn(
    net: nn.Module,
    images: Images,
    settings: TrainingRecipe,
    *,
    loss: Loss = cross_entropy,
    change: Change | None = None,
) -> list[float]:
    """Trains a network in place, and leaves it in evaluation mode.

    Args:
        net: that learns; parameters that ask for no gradient stay as they are.
        images: whose training part it learns from.
        settings: of the training.
        loss: of the outputs and the labels of a batch.
        change: augmentation: given the images of a batch, their row numbers and the epoch, what is shown instead.

    Returns:
        The mean loss of each epoch; not finite from where training broke down.
    """
    optimizer = build(net, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    count = len(images.train)
    steps = math.ceil(count / (settings.batch_size or count))
    losses = []
    net.train()
    for epoch in range(settings.epochs):
        total = 0.0
        for number, rows in enumerate(torch.randperm(count, generator=generator).chunk(steps)):
            for group in optimizer.param_groups:
                group["lr"] = lr_at(settings, epoch * steps + number, steps)
            shown = images.train[rows]
            value = loss(net(shown if change is None else change(shown, rows, epoch)), images.train_labels[rows])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.item() * len(rows)
        losses.append(total / count)
        if not math.isfinite(total):
            break
    net.eval()
    return losses


@torch.inference_mode()
def outputs(net: nn.Module, images: Tensor) -> Tensor:
    """(N, ...) what the network gives for images, in evaluation mode."""
    net.eval()
    return torch.cat([net(part) for part in images.split(EVALUATED)])


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images that are answered right."""
    return hits(outputs(net, images), labels)


def hits(answers: Tensor, labels: Tensor) -> float:
    """The share of answers (N, classes) whose largest value is the label's."""
    return float((answers.argmax(dim=1) == labels).float().mean())


def parameters(net: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
