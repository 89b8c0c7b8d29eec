"""Side branches: weighed into the loss while training, and nowhere else."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors import safe_open
from torch import Tensor, nn

import striate
from striate.console import Reporter
from striate.recipe import Recipe, from_dict
from striate.tasks.classify import Classify
from striate.training import RunFolder, resume, train

SHARES = (0.3, 0.5)
WEIGHT = torch.tensor([0.5, 1.0, 2.0])
SILENT = Reporter(Console(file=io.StringIO()))
LABELS = torch.tensor([0, 2, 1, 1])
SEVERAL = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])


class Forked(nn.Module):
    """A net whose side branches answer twice and three times what its main one does."""

    def __init__(self, branch_weights: tuple[float, ...]) -> None:
        super().__init__()
        self.branch_weights = branch_weights
        self.fc = nn.Linear(2, 3)

    def branches(self, images: Tensor) -> list[Tensor]:
        main = self.fc(images)
        return [main, *((2 + place) * main for place in range(len(self.branch_weights)))]

    def forward(self, images: Tensor) -> Tensor:
        return self.branches(images)[0]


class Unforked(nn.Module):
    """A net that has no side branches and says nothing of them."""

    def __init__(self, of: Forked) -> None:
        super().__init__()
        self.fc = of.fc

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(images)
        return logits


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_training_adds_each_side_loss_by_its_share(images: Tensor, several: bool, weight: Tensor | None) -> None:
    net, labels = Forked(SHARES), SEVERAL if several else LABELS
    task = Classify(("a", "b", "c"), several)
    loss, logits = task.cross_entropy(net, 0.1, weight).train()(images, {"label": labels})

    alone = task.cross_entropy(nn.Identity(), 0.1, weight)  # the loss of logits that are given
    main = net(images)
    expected = (
        alone(main, {"label": labels})[0]
        + 0.3 * alone(2 * main, {"label": labels})[0]
        + 0.5 * alone(3 * main, {"label": labels})[0]
    )
    assert torch.equal(logits, main)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert loss.item() > alone(main, {"label": labels})[0].item() * 1.1


def test_evaluation_sees_the_main_logits_only(images: Tensor) -> None:
    net = Forked(SHARES)
    task = Classify(("a", "b", "c"))
    loss, logits = task.objective(net).eval()(images, {"label": LABELS})
    expected, _ = task.objective(Unforked(net)).eval()(images, {"label": LABELS})
    assert torch.equal(loss, expected)
    assert torch.equal(logits, net(images))


@pytest.mark.parametrize("net", [Forked(()), Unforked(Forked(()))], ids=["built without", "never had any"])
def test_without_side_branches_training_has_the_main_loss_alone(net: nn.Module, images: Tensor) -> None:
    objective = Classify(("a", "b", "c")).objective(net)
    training, _ = objective.train()(images, {"label": LABELS})
    evaluation, _ = objective.eval()(images, {"label": LABELS})
    assert torch.equal(training, evaluation)


def test_a_branch_without_a_share_is_an_error(images: Tensor) -> None:
    net = Forked(SHARES)
    objective = Classify(("a", "b", "c")).objective(net).train()
    net.branch_weights = (*SHARES, 0.1)
    with pytest.raises(ValueError, match="longer"):
        objective(images, {"label": LABELS})


@pytest.mark.parametrize(("training", "reached"), [(True, True), (False, False)])
def test_gradient_reaches_a_real_side_branch_while_training_only(training: bool, reached: bool) -> None:
    net: Any = striate.create("googlenet", num_classes=2)
    objective = Classify(("a", "b")).objective(net).train(training)
    loss, _ = objective(torch.randn(2, 3, 64, 64), {"label": torch.tensor([0, 1])})
    loss.backward()
    assert net.fc.weight.grad.count_nonzero() > 0
    for branch in (net.aux1, net.aux2):
        assert (branch.fc2.weight.grad is not None) is reached


# A whole run, and the file that it leaves


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four dark and four light images in each split."""
    root = tmp_path_factory.mktemp("photos")
    for split in ("train", "val"):
        for name, brightness in (("dark", 80), ("light", 170)):
            (root / split / name).mkdir(parents=True)
            for number in range(4):
                pixels = np.random.default_rng([number, brightness, len(split)]).normal(brightness, 25, (64, 64, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / split / name / f"{number}.png")
    return root


def recipe(epochs: int = 1, **model_args: bool) -> Recipe:
    return from_dict(
        {
            "network": {"model": "googlenet", "model_args": model_args},
            "data": {"img_size": 64},
            "training": {"epochs": epochs, "batch_size": 4, "lr": 1e-3, "ema_decay": 0.9},
            "machine": {"device": "cpu", "precision": "float32", "workers": 1},
        }
    )


def run(photos: Path, folder: Path, **model_args: bool) -> RunFolder:
    return train(photos, recipe(**model_args), folder, SILENT)


@pytest.fixture(scope="module")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(photos, tmp_path_factory.mktemp("runs") / "branched")


def names_in(path: Path) -> set[str]:
    with safe_open(path, "pt") as file:
        return set(file.keys())


def test_the_model_file_keeps_the_side_branches_and_predicts(finished: RunFolder, photos: Path) -> None:
    model: Any = striate.load(finished.model, device="cpu", precision="float32")
    assert names_in(finished.model) == set(model.net.state_dict())
    assert any(name.startswith("aux1.") for name in names_in(finished.model))
    assert model.net.branch_weights == (0.3, 0.3)
    predictions = model.predict(photos / "val" / "light")
    assert [set(prediction.probabilities) for prediction in predictions] == [{"dark", "light"}] * 4

    lean = model.machine.place(striate.create("googlenet", num_classes=2, side_branches=False)).eval()
    lean.load_state_dict({k: v for k, v in model.net.state_dict().items() if not k.startswith("aux")})
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(lean(images), model.net(images))


def test_training_moved_the_side_branches(finished: RunFolder) -> None:
    torch.manual_seed(0)  # the recipe's
    before = striate.create("googlenet", num_classes=2).state_dict()
    after = striate.load(finished.model, device="cpu", precision="float32").net.state_dict()
    for name in ("aux1.fc2.weight", "aux2.fc2.weight", "aux1.conv.conv.weight", "fc.weight"):
        assert not torch.equal(before[name], after[name]), name


def test_a_run_with_side_branches_resumes(finished: RunFolder, tmp_path: Path) -> None:
    copy = shutil.copytree(finished.path, tmp_path / "copy")
    folder = resume(copy, recipe(epochs=2), SILENT)
    assert len(folder.metrics.read_text().splitlines()) == 3  # a head and two epochs


def test_a_run_without_side_branches_leaves_none(photos: Path, tmp_path: Path) -> None:
    folder = run(photos, tmp_path / "run", side_branches=False)
    model: Any = striate.load(folder.model, device="cpu", precision="float32")
    assert model.arguments["side_branches"] is False
    assert not any(name.startswith("aux") for name in names_in(folder.model))
    assert model.predict(photos / "val" / "light" / "0.png").label in ("dark", "light")
