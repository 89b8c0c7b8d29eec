"""Runs that begin with weights: what is frozen, what is kept, and that they stop and go on as any run does."""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from base_weights import save_base
from killed import Killed
from safetensors.torch import load_file
from torch import Tensor

import striate
from striate.console import Reporter
from striate.data import Preprocessing
from striate.device import choose
from striate.errors import DataError, UsageError
from striate.model import Model
from striate.nets import create
from striate.plan.rule import Decision, Estimate
from striate.recipe import KEYS, Recipe, from_dict
from striate.recipe import load as load_recipe
from striate.tasks.classify import Classify
from striate.training import RunFolder, checkpoint
from striate.training.folder import TIMED
from striate.transfer import resume, train

SHARED = Path(__file__).parents[3] / "shared"
WritePictures = Callable[[Path, Mapping[str, int]], Path]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a net of five classes, whose batch norms do something."""
    return save_base(tmp_path_factory.mktemp("weights") / "base.safetensors")


@pytest.fixture
def recipe(weights: Path) -> Callable[..., Recipe]:
    """Keyword arguments are keys of any of its tables."""

    def build(**values: Any) -> Recipe:
        base = {
            "weights": str(weights),
            "epochs": 3,
            "batch_size": 8,
            "lr": 1e-4,
            "device": "cpu",
            "precision": "float32",
            "workers": 1,
            "val_fraction": 0.25,
            "test_fraction": 0.0,
        }
        tables: dict[str, dict[str, Any]] = {}
        for key, value in (base | values).items():
            tables.setdefault(KEYS[key], {})[key] = value
        return from_dict(tables)

    return build


MakeRecipe = Callable[..., Recipe]


def rows(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics.open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIMED} for row in csv.DictReader(file)]


def net_of(run: RunFolder) -> dict[str, Tensor]:
    return striate.load(run.model, device="cpu", precision="float32").net.state_dict()


def last_state(run: RunFolder) -> dict[str, Tensor]:
    return load_file(checkpoint.found(run.checkpoint)[0])


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


# Other heads, and stages that are drawn anew


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({"head": "mlp", "hidden": 6}, (6, 64)),
        ({"head": "cosine"}, (2, 64)),
        ({"depths": 2, "head": "ridge"}, (2, 96)),
        ({"depths": 3, "head": "mlp"}, (128, 112)),
    ],
)
@pytest.mark.parametrize("freeze", ["all", "layer2"])
def test_another_head_is_fitted_and_kept_in_the_file(
    two_classes: Path,
    recipe: MakeRecipe,
    weights: Path,
    silent: Reporter,
    tmp_path: Path,
    freeze: str,
    asked: dict[str, Any],
    shape: tuple[int, int],
) -> None:
    run = train(two_classes, recipe(freeze=freeze, views=2, **asked), tmp_path / "run", silent)
    model = striate.load(run.model, device="cpu", precision="float32")
    first = next(model.net.get_submodule("classifier").parameters())
    assert first.shape == shape
    before = load_file(weights)
    frozen = ("layer1.", "layer2.") if freeze == "layer2" else ("layer",)
    for name, tensor in model.net.state_dict().items():
        plain = name.removeprefix("encoder.")
        if plain.startswith(frozen):
            assert torch.equal(tensor, before[plain])
    assert float(rows(run)[-1]["val_accuracy"]) == 1.0
    again = train(two_classes, recipe(weights=str(run.model), views=1), tmp_path / "again", silent)
    assert striate.load(again.model).arguments["head"] == "linear"


def test_a_head_that_is_fitted_answers_as_cross_validation_says(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    """In a network that is whole, heads have the scale and the temperature with which they were fitted."""
    for kind in ("mlp", "cosine"):
        run = train(two_classes, recipe(head=kind, depths=2), tmp_path / kind, silent)
        [row] = rows(run)
        assert float(row["val_loss"]) < 2 * float(row["cv_loss"]) + 0.05


def test_a_run_with_another_head_goes_on_to_the_same_bits(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    asked = recipe(freeze="layer1", head="mlp", depths=2, views=2)
    unbroken = train(two_classes, asked, tmp_path / "unbroken", silent)
    with pytest.raises(KeyboardInterrupt):
        train(two_classes, asked, tmp_path / "broken", Killed(silent.console, at="epoch 2/"))
    resumed = resume(tmp_path / "broken", reporter=silent)
    assert rows(resumed) == rows(unbroken)
    assert load_file(resumed.model).keys() == load_file(unbroken.model).keys()
    for name, tensor in load_file(resumed.model).items():
        assert torch.equal(tensor, load_file(unbroken.model)[name])


def test_later_stages_are_drawn_anew(
    two_classes: Path, recipe: MakeRecipe, weights: Path, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, recipe(freeze="layer1", redraw="layer3", epochs=1, lr=1e-9), tmp_path / "run", silent)
    before, after = load_file(weights), load_file(run.model)
    assert torch.equal(before["layer1.0.conv1.weight"], after["layer1.0.conv1.weight"])
    assert (before["layer2.0.conv1.weight"] - after["layer2.0.conv1.weight"]).abs().max() < 1e-6
    assert (before["layer3.0.conv1.weight"] - after["layer3.0.conv1.weight"]).abs().max() > 0.1
    assert torch.equal(after["layer2.0.bn1.running_mean"], before["layer2.0.bn1.running_mean"])
    assert after["layer3.0.bn1.running_mean"].any()  # of its own: there are no statistics to keep of drawn values
    assert not torch.equal(after["layer3.0.bn1.running_mean"], before["layer3.0.bn1.running_mean"])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"redraw": "layer9"}, "`redraw`: expected a stage of the network; got layer9. Its stages are conv1, "),
        ({"redraw": "layer3"}, "`redraw`: expected a stage after those that --freeze names, so that it learns; got "),
        ({"redraw": "layer1", "freeze": "auto"}, "`redraw`: expected a stage after those that --freeze names"),
        ({"depths": 4}, "`depths`: expected 1 to 3, the maps of resnet20_cifar; got 4."),
        ({"depths": 0}, "recipe: `depths`: expected a whole number from 1 to 1,000; got 0"),
        ({"hidden": 0}, "recipe: `hidden`: expected a whole number from 1 to 65,536; got 0"),
    ],
)
def test_heads_and_stages_that_cannot_be_meant(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path, asked: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        train(two_classes, recipe(**asked), tmp_path / "run", silent)
    assert str(caught.value).startswith(sentence)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("asked", [{"snapshots": 2, "epochs": 2}, {"members": 2}])
def test_a_fitted_head_makes_no_ensemble(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path, asked: dict[str, Any]
) -> None:
    sentence = "expected a network that learns in epochs; got one whose head is fitted in one step. Try --freeze none."
    with pytest.raises(UsageError, match=sentence):
        striate.train(two_classes, recipe(freeze="all", **asked), output=tmp_path / "run", reporter=silent)


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050"])
@pytest.mark.parametrize(
    "asked", [{"freeze": "all"}, {"freeze": "0.5", "views": 2, "epochs": 1}, {"head": "mlp", "depths": 2}]
)
def test_nets_of_timm(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path, name: str, asked: dict[str, Any]
) -> None:
    pytest.importorskip("timm", reason="the extra striate[hub] is not installed")
    arguments = {"num_classes": 5, "in_channels": 3}
    shown = Preprocessing((3, 32, 32), (0.5,) * 3, (0.5,) * 3, crop_pct=1.0)
    base = create(f"timm/{name}", **arguments).eval()
    Model(base, f"timm/{name}", arguments, Classify(tuple("abcde")), shown).save(tmp_path / "base.safetensors")
    run = train(two_classes, recipe(weights=str(tmp_path / "base.safetensors"), **asked), tmp_path / "run", silent)
    before, after = base.state_dict(), striate.load(run.model).net.state_dict()
    first = next(iter(before))
    [kept] = [value for name, value in after.items() if name.removeprefix("encoder.") == first]
    assert torch.equal(kept, before[first])
    assert 0 <= float(rows(run)[-1]["val_accuracy"]) <= 1


# All frozen


def test_a_fitted_head_leaves_the_folder_of_any_run(
    two_classes: Path, recipe: MakeRecipe, weights: Path, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, recipe(), tmp_path / "run", silent)
    assert {path.name for path in run.path.iterdir()} == {
        "recipe.toml", "index.parquet", "check.csv", "metrics.csv", "model.safetensors", "log.txt", ".lock",
    }  # fmt: skip
    model = striate.load(run.model, device="cpu", precision="float32")
    assert model.classes == ("dark", "light")
    right = [p.label == Path(p.path).parent.name for p in model.predict(two_classes)]
    assert all(right)
    before = striate.load(weights).net.state_dict()
    for name, tensor in model.net.state_dict().items():
        assert name.startswith("linear.") or torch.equal(tensor, before[name])
    [row] = rows(run)
    assert (row["epoch"], row["step"], row["cv_count"], row["val_count"]) == ("1", "0", "18", "6")
    assert float(row["val_accuracy"]) == model.metrics["accuracy"] == 1
    kept = load_recipe(run.recipe)
    assert (kept.network.model, kept.data.img_size, kept.transfer.freeze) == ("resnet20_cifar", 16, "all")
    assert model.about["head"].keys() == {"strength", "temperature"}


def test_the_log_says_what_was_computed(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    first, second = (train(two_classes, recipe(), tmp_path / "run", silent).log.read_text() for _ in range(2))
    assert "features of train: 18 images in 2 views; 36 computed, 0 from the cache; " in first
    assert "features of train: 18 images in 2 views; 0 computed, 36 from the cache; " in second
    assert "resnet20_cifar: 269,202 parameters, of which 130 learn, 2 classes; images: 18 train, 6 val" in first
    assert "cross-validation on train: accuracy 1.0000 [" in first


def test_from_the_cache_it_is_the_same_to_the_bit_and_so_is_a_resumed_one(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    first, second = (train(two_classes, recipe(), tmp_path / "run", silent) for _ in range(2))
    assert_same(net_of(first), net_of(second))
    second.model.unlink()
    assert_same(net_of(first), net_of(resume(second.path, reporter=silent)))


def test_weighted_images_and_classes_change_the_head(
    write_pictures: WritePictures, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    root = write_pictures(tmp_path / "data", {"dark": 16, "light": 8})
    paths = sorted(root.rglob("*.png"))
    lines = [f"{path.relative_to(root)},{path.parent.name},{1 + 9 * (n % 2)}" for n, path in enumerate(paths)]
    table = root / "labels.csv"
    table.write_text("\n".join(["path,label,weight", *lines]) + "\n")
    plain, weighted, balanced, drawn = (
        net_of(train(table, recipe(**values), tmp_path / "run", silent))["linear.weight"]
        for values in ({}, {"sampling": "weighted"}, {"class_weights": "balanced"}, {"sampling": "balanced"})
    )
    assert not torch.allclose(plain, weighted)
    assert not torch.allclose(plain, balanced)
    # the same, said in two ways, as far as it is solved
    assert (balanced - drawn).norm() < 0.5 * (balanced - plain).norm()


def test_several_labels(write_pictures: WritePictures, recipe: MakeRecipe, silent: Reporter, tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "data", {"dark": 12, "light": 12})
    lines = ["path,label"]
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        lines.append(f"{path.relative_to(root)},{path.parent.name}{';even' if number % 2 else ''}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    run = train(root / "labels.csv", recipe(label_separator=";"), tmp_path / "run", silent)
    model = striate.load(run.model, device="cpu", precision="float32")
    assert set(model.classes) == {"dark", "light", "even"}
    assert "mean_average_precision" in model.metrics
    assert all(path.parent.name in model.predict(path).labels for path in root.rglob("*.png"))


def test_a_net_without_one_last_layer_trains_on_its_vectors(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    arguments = {"num_classes": 5, "in_channels": 3}
    torch.manual_seed(0)
    net = create("squeezenet1_1", **arguments).eval()
    shown = Preprocessing((3, 48, 48), (0.5,) * 3, (0.5,) * 3)
    model = Model(net, "squeezenet1_1", arguments, Classify(tuple("abcde")), shown, machine=choose("cpu", "float32"))
    model.save(tmp_path / "base.safetensors")
    run = train(two_classes, recipe(weights=str(tmp_path / "base.safetensors"), epochs=1), tmp_path / "run", silent)
    assert "the head begins with drawn values, not fitted ones: `SqueezeNet`: expected a network that " in (
        run.log.read_text()
    )
    for name, tensor in net_of(run).items():
        assert name.startswith("classifier.") or torch.equal(tensor, net.state_dict()[name]), name


# A prefix frozen


@pytest.mark.parametrize("views", [0, 3])
@pytest.mark.parametrize("batch_norm", ["keep", "learn"])
def test_what_is_frozen_keeps_every_bit(
    two_classes: Path,
    recipe: MakeRecipe,
    weights: Path,
    silent: Reporter,
    tmp_path: Path,
    views: int,
    batch_norm: str,
) -> None:
    wanted = recipe(freeze="layer2", views=views, batch_norm=batch_norm, ema_decay=0.5)
    state = last_state(train(two_classes, wanted, tmp_path / "run", silent))
    before = striate.load(weights).net.state_dict()
    for part in ("net.", "ema."):
        for name, tensor in before.items():
            frozen = name.startswith(("conv1.", "bn1.", "layer1.", "layer2."))
            statistic = "running" in name or "num_batches" in name
            if name.startswith("linear."):
                continue
            same = torch.equal(state[part + name], tensor)
            assert same == (frozen or (statistic and batch_norm == "keep")), part + name


def test_kept_maps_give_what_images_give(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    cached, plain = (
        train(
            two_classes, recipe(freeze="layer2", views=views, augment="none", fit_head=False), tmp_path / "run", silent
        )
        for views in (1, 0)
    )
    assert "features of train: 18 images in 1 view; " in cached.log.read_text()
    for one, other in zip(rows(cached), rows(plain), strict=True):
        assert float(one["train_loss"]) == pytest.approx(float(other["train_loss"]), abs=2e-3)
        assert float(one["val_loss"]) == pytest.approx(float(other["val_loss"]), abs=2e-3)
    for path in list(two_classes.rglob("*.png"))[::5]:
        first, second = (
            striate.load(run.model, device="cpu", precision="float32").predict(path).probabilities["dark"]
            for run in (cached, plain)
        )
        assert first == pytest.approx(second, abs=5e-3)


@pytest.mark.parametrize("freeze", ["layer2", "none"])
def test_a_resumed_run_ends_with_the_bits_of_the_unbroken_one(
    two_classes: Path, recipe: MakeRecipe, weights: Path, silent: Reporter, tmp_path: Path, freeze: str
) -> None:
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(weights.read_bytes())
    wanted = recipe(weights=str(moved), freeze=freeze, ema_decay=0.9, lr_decay=0.5, views=2)
    unbroken = train(two_classes, wanted, tmp_path / "unbroken", silent)
    with pytest.raises(KeyboardInterrupt):
        train(two_classes, wanted, tmp_path / "broken", Killed(silent.console, at="epoch 2/"))
    moved.unlink()  # the checkpoint holds all
    resumed = resume(tmp_path / "broken", reporter=silent)
    assert_same(last_state(unbroken), last_state(resumed))
    assert_same(net_of(unbroken), net_of(resumed))
    assert rows(unbroken) == rows(resumed)


def test_the_head_is_fitted_before_anything_learns(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    fitted, drawn = (
        rows(train(two_classes, recipe(freeze="none", lr=1e-9, fit_head=fit), tmp_path / "run", silent))[0]
        for fit in (True, False)
    )
    assert float(fitted["val_accuracy"]) == 1
    assert float(fitted["val_loss"]) < 0.2 < float(drawn["val_loss"])
    assert float(fitted["train_loss"]) < 0.25  # with labels smoothed by 0.1, of two classes, 0.199 is the least


def test_rates_fall_with_depth(
    two_classes: Path, recipe: MakeRecipe, weights: Path, silent: Reporter, tmp_path: Path
) -> None:
    one_step = {"freeze": "none", "opt": "sgd", "weight_decay": 0.0, "epochs": 1, "batch_size": 18, "lr": 1e-2}
    same, falling = (
        last_state(train(two_classes, recipe(**one_step, lr_decay=decay), tmp_path / "run", silent))
        for decay in (1.0, 0.5)
    )
    before = striate.load(weights).net.state_dict()
    for name, depth in (("layer3.0.conv1.weight", 1), ("layer1.0.conv1.weight", 3), ("conv1.weight", 5)):
        far, near = (state[f"net.{name}"] - before[name] for state in (same, falling))
        assert float(near.norm() / far.norm()) == pytest.approx(0.5**depth, rel=0.02)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"freeze": "layer1", "mixup": 0.2},
            "`mixup`: expected 0 where the maps of frozen stages are kept; got 0.2. "
            "Try --views 0, which computes them anew from images in every epoch.",
        ),
        (
            {"freeze": "layer1", "cache_budget": 1e-3, "fit_head": False},
            "`cache_budget`: expected 0.0 gigabytes or more, for what frozen stages give; got 0.001. "
            "Try a later --freeze, fewer --views, or --views 0, which keeps nothing.",
        ),
        (
            {"model": "lenet5"},
            "`model`: expected that of `--weights`, resnet20_cifar; got lenet5. Try without it.",
        ),
    ],
)
def test_refusals(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        train(two_classes, recipe(**values), tmp_path / "run", silent)
    assert str(caught.value) == sentence


def test_a_image_that_goes_away_after_the_check(
    write_pictures: WritePictures, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    root = write_pictures(tmp_path / "data", {"dark": 8, "light": 8})

    @dataclass(frozen=True)
    class Mischief(Reporter):
        def progress(self, title: str, total: int, unit: str) -> Any:
            if title.startswith("features of"):
                for path in root.rglob("*.png"):
                    path.write_bytes(b"no image")
            return super().progress(title, total, unit)

    with pytest.raises(DataError, match=r"png: cannot be read: .*\. Did it change since the check\?$"):
        train(root, recipe(), tmp_path / "run", Mischief(silent.console))


# As recommended


@pytest.mark.parametrize("freeze", ["all", "none"])
def test_auto_goes_by_the_rule_and_plans_at_no_cost(
    two_classes: Path,
    recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    freeze: Literal["all", "none"],
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    decided = Decision(freeze, Estimate(0.5, 0.4, 0.6), None, False), "because."
    monkeypatch.setattr("striate.transfer.decide_by_head", lambda *arguments: decided)
    run = train(two_classes, recipe(freeze="auto", epochs=1), tmp_path / "run", silent)
    log = run.log.read_text()
    assert "--freeze auto: because.\n" in log
    assert load_recipe(run.recipe).transfer.freeze == freeze
    assert run.checkpoint.exists() == (freeze == "none")
    computed = [re.findall(r"(\d+) images in 2 views; (\d+) computed", line) for line in log.splitlines()]
    counts = [(int(images), int(count)) for [(images, count)] in filter(None, computed)]
    assert counts == [(18, 36), (18, 0)][: 1 if freeze == "all" else 2]  # the second time for a head that goes on


def test_auto_decides_by_images_that_the_head_had_not_seen(
    two_classes: Path, recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, recipe(freeze="auto"), tmp_path / "run", silent)
    [row] = rows(run)
    assert f"accuracy {float(row['cv_accuracy']):.3f} [" in run.log.read_text()
    named = train(two_classes, recipe(freeze="all"), tmp_path / "named", silent)
    assert_same(net_of(run), net_of(named))


@pytest.mark.slow
def test_photos_with_a_published_network(tmp_path: Path, silent: Reporter) -> None:
    data = SHARED / "data" / "hymenoptera"
    weights = SHARED / "weights" / "mobilenet_v1_100_224.keras-folded.safetensors"
    if not (data.exists() and weights.exists()):
        pytest.skip("needs the images and weights of ../shared")
    run = train(data, from_dict({"transfer": {"weights": str(weights)}}), tmp_path / "run", silent)
    model = striate.load(run.model)
    assert model.metrics["accuracy"] >= 0.93
    assert model.metrics["loss"] < 0.2  # it is calibrated
