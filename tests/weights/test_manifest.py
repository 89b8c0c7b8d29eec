from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch

from striate.data import Preprocessing
from striate.errors import UsageError
from striate.nets import CATALOGUE, create
from striate.weights import names_digest, published, read_manifests

GOOD: dict[str, Any] = {
    "name": "lenet5.mine",
    "file": "mine.safetensors",
    "sha256": "0" * 64,
    "size": 10,
    "source": "here",
    "licence": "MIT",
    "layout": "striate",
    "preprocessing": {"input_size": [1, 32, 32], "mean": [0.5], "std": [0.5]},
    "classes": ["a", "b"],
}


MEASURED = (  # of a copy of the file, whose `source` says all of it
    "lenet_caffe.mnist",
    "mobilenet_v1_025.imagenet",
    "mobilenet_v1_100.imagenet",
    "resnet20_cifar.cifar10",
    "resnet56_cifar.cifar10",
)


def write(folder: Path, *weights: dict[str, Any]) -> Path:
    path = folder / "manifests.toml"
    path.write_text(tomli_w.dumps({"weights": list(weights)}), encoding="utf-8")
    return path


UNPUBLISHED = {  # nets of which neither torchvision, timm nor Keras publishes weights
    *("airbench94", "convnet39", "lenet5", "lenet5_notes", "nin", "nin_cifar"),
    *("plain18", "plain34", "plain20_cifar", "plain56_cifar"),
    *("alexnet_paper", "alexnet_paper_ungrouped", "googlenet_paper"),
    *("fcn32s", "fcn16s", "fcn8s", "segnet"),
    "mobilenet_v1",  # of a width that is an argument
}
COMPOSED = ("headed", "unet", "locator")  # of another net


def test_each_net_that_is_published_has_weights() -> None:
    known = {manifest.arch for manifest in published().values()}
    assert known <= CATALOGUE.keys()
    lacking = {name for name in CATALOGUE.keys() - known if not name.startswith(COMPOSED)}
    assert lacking == UNPUBLISHED


def test_each_has_an_address_a_package_or_a_digest() -> None:
    for manifest in published().values():
        assert manifest.url or manifest.package or manifest.digest == "whole"
        if manifest.url:
            assert manifest.url.startswith("https://")
            assert manifest.url.endswith((f"/{manifest.file}", "/model.safetensors"))
        if manifest.digest == "prefix" and manifest.url:
            assert manifest.file.rpartition("-")[2].startswith(manifest.sha256)


def test_the_first_weights_of_a_net() -> None:
    first: dict[str, str] = {}
    for manifest in published().values():
        first.setdefault(manifest.arch, manifest.name)
    assert first["resnet50"] == "resnet50.imagenet1k_v1"
    assert first["efficientnet_lite0"] == "efficientnet_lite0.imagenet"
    assert first["mobilenet_v1_025"] == "mobilenet_v1_025.keras"


@pytest.mark.parametrize("name", sorted(published()))
def test_each_names_a_net_and_a_preprocessing(name: str) -> None:
    manifest = published()[name]
    preprocessing = Preprocessing.from_dict(manifest.preprocessing)
    with torch.device("meta"):
        net = create(manifest.arch, **manifest.arguments, in_channels=preprocessing.channels)
    size: Any = net.image_size
    assert preprocessing.input_size[1:] == (size, size)
    assert len(preprocessing.mean) == len(preprocessing.std) == preprocessing.channels


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, GOOD | {"name": "lenet5.hub", "hub": {"repo": "a/b", "revision": "c", "file": "d"}})
    mine = read_manifests(path)
    assert list(mine) == ["lenet5.mine", "lenet5.hub"]
    assert mine["lenet5.mine"].arch == "lenet5"
    assert mine["lenet5.hub"].hub is not None
    assert list(published(path)) == [*published(), *mine]
    with pytest.raises(AttributeError):
        mine["lenet5.mine"].sha256 = ""  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "lenet5"}, "lenet5: `name`: expected `arch.tag` in lower case; got 'lenet5'."),
        (
            {"sha256": "AB"},
            "lenet5.mine: `sha256`: expected 64 hexadecimal digits in lower case, or the first; got 'AB'.",
        ),
        (
            {"md5": "0" * 31},
            f"lenet5.mine: `md5`: expected 32 hexadecimal digits in lower case; got '{'0' * 31}'.",
        ),
        (
            {"sha256": "", "md5": "0" * 32, "url": "http://example.org/x"},
            "lenet5.mine: `url`: expected an address that starts with https://, since no whole sha256 is known; got ",
        ),
        ({"size": -1}, "`size`: expected int >= 0; got -1."),
        ({"size_within": -1}, "`size_within`: expected int >= 0; got -1."),
        (
            {"sha256": "0" * 8, "url": "http://example.org/x"},
            "lenet5.mine: `url`: expected an address that starts with https://, since no whole sha256 is known; got ",
        ),
        ({"name": "a\x1b[31m\n.b"}, "a\\x1b[31m\\n.b: `name`: expected `arch.tag` in lower case; got "),
        ({"file": "../x"}, "lenet5.mine: `file`: expected the name of a file, without a folder; got '../x'."),
        (
            {"url": "file:///etc/passwd"},
            "lenet5.mine: `url`: expected an address that starts with https:// or http://; got 'file:///etc/passwd'.",
        ),
        (
            {"classes_sha256": names_digest(("a",))},
            "lenet5.mine: `classes_sha256`: expected it or `classes`; got "
            "'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'.",
        ),
        ({"layout": "kears"}, "got `kears`. Did you mean `keras`?"),
        ({"sha265": "0"}, "object contains unknown field sha265"),
        ({"size": 10**30}, "`size`: expected int <= 1000000000000; got 1000000000000000000000000000000"),
        ({"size": "large"}, "`size`: expected int; got str"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_told(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = write(tmp_path, GOOD | change)
    with pytest.raises(UsageError) as caught:
        read_manifests(path)
    assert str(caught.value).startswith(f"{path}: expected manifests of weights; ")
    assert sentence in str(caught.value)


def test_a_name_twice_and_a_name_of_ours(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, GOOD)
    with pytest.raises(UsageError) as caught:
        read_manifests(path)
    assert str(caught.value) == f"{path}: expected each name once; got lenet5.mine and lenet5.mine."
    path = write(tmp_path, GOOD | {"name": "lenet_caffe.mnist"})
    with pytest.raises(UsageError) as caught:
        published(path)
    assert str(caught.value) == f"{path}: expected names that striate does not have; got lenet_caffe.mnist."


def test_what_is_common_to_the_manifests_of_a_file_is_said_once(tmp_path: Path) -> None:
    common = {key: GOOD[key] for key in ("licence", "layout", "preprocessing")} | {"sources": {"licence": "LICENSE"}}
    rest = {key: value for key, value in GOOD.items() if key not in common}
    other = rest | {"name": "lenet5.other", "licence": "BSD-3-Clause", "sources": {"size": "the file"}}
    path = tmp_path / "manifests.toml"
    path.write_text(tomli_w.dumps({"common": common, "weights": [rest, other]}), encoding="utf-8")
    first, second = read_manifests(path).values()
    assert (first.licence, first.sources) == ("MIT", {"licence": "LICENSE"})
    assert (second.licence, second.sources) == ("BSD-3-Clause", {"licence": "LICENSE", "size": "the file"})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("weight = []", "it contains `weight`, which is neither `weights` nor `common`"),
        ("weights = 1", "`weights` should be an array of tables, and `common` a table"),
        ("common = 1\nweights = []", "`weights` should be an array of tables, and `common` a table"),
        ("weights = [1]", "`weights` should be an array of tables, and `common` a table"),
        ("", "`weights` should be an array of tables, and `common` a table"),
        ("common = {sources = 1}\nweights = [{}]", "`sources` should be a table"),
        ("weights = " + "[" * 100_000, "expected tables and arrays a few levels deep; got far more"),
        ("a" + ".a" * 100_000 + " = 1", "expected keys and lines of a few parts; got 100,000 dots in a line"),
    ],
)
def test_a_file_of_another_form(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "manifests.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_manifests(path)
    assert sentence in str(caught.value)


def test_how_much_of_a_digest_is_published(tmp_path: Path) -> None:
    digests = {"0" * 64: "whole", "0" * 8: "prefix", "": "none"}
    for sha256, known in digests.items():
        manifest = read_manifests(write(tmp_path, GOOD | {"sha256": sha256}))["lenet5.mine"]
        assert manifest.digest == known
    manifest = read_manifests(write(tmp_path, GOOD | {"sha256": "", "md5": "0" * 32}))["lenet5.mine"]
    assert manifest.digest == "md5"


def test_what_is_kept_is_safetensors(tmp_path: Path) -> None:
    for file, kept in (("mine.safetensors", "mine.safetensors"), ("a-1.2.pth", "a-1.2.safetensors")):
        assert read_manifests(write(tmp_path, GOOD | {"file": file}))["lenet5.mine"].kept == kept


def test_each_fact_of_ours_has_a_source() -> None:
    for manifest in published().values():
        said = {"licence", "preprocessing", *(("accuracy",) if manifest.accuracy else ())}
        said |= {"address"} if manifest.url else set()
        said |= {field for field in ("sha256", "md5") if getattr(manifest, field)}
        assert said <= manifest.sources.keys() or manifest.name in MEASURED, manifest.name


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "manifests.toml"
    with pytest.raises(UsageError, match=r"expected manifests of weights; .*No such file"):
        read_manifests(path)
    path.write_text("weights = [", encoding="utf-8")
    with pytest.raises(UsageError, match="expected manifests of weights; "):
        read_manifests(path)
