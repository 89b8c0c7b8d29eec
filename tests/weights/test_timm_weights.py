"""timm's weights by name: with timm where it is, by a stand-in for its absence where it is not."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from file_server import Plan, serving
from safetensors.torch import save

from striate.errors import UsageError, WeightsError
from striate.nets import create
from striate.pretrained import load, pretrained
from striate.weights import fetch, named, published

NAME = "timm/resnet10t"


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason="the extra striate[hub] is not installed")


@pytest.fixture
def content(timm: Any) -> bytes:
    torch.manual_seed(0)
    return save(timm.create_model("resnet10t").state_dict())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


def test_a_manifest_is_made_of_what_timm_knows(timm: Any) -> None:
    first, tagged = named("timm/resnet18", {}), named("timm/resnet18.tv_in1k", {})
    assert first is not None
    assert tagged is not None
    assert (first.name, first.arch) == ("timm/resnet18.a1_in1k", "timm/resnet18")
    assert tagged.address == "https://huggingface.co/timm/resnet18.tv_in1k/resolve/main/model.safetensors"
    assert tagged.licence == "bsd-3-clause"
    assert tagged.preprocessing["crop_pct"] == 0.875
    assert len(tagged.class_names) == 1000


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("timm/resnet1", "timm/resnet1: expected the name of a timm model, or of its weights. Did you mean `"),
        (
            "timm/resnet18.a9_in1k",
            "timm/resnet18.a9_in1k: expected weights that timm publishes; Invalid",
        ),
        (
            "timm/resnet200",
            "timm/resnet200: expected a model with weights on the Hugging Face hub; timm ",
        ),
    ],
)
def test_what_timm_does_not_publish(timm: Any, name: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        named(name, published())
    assert str(caught.value).startswith(sentence)


def test_one_sentence_where_timm_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"timm/resnet18: expected timm to be installed; .*Try `pip install "):
        pretrained("timm/resnet18")


def test_one_sentence_where_timm_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("importlib.import_module", broken)
    expected = (
        r"timm/resnet18: expected timm to be installed; .*\(operator torchvision::nms does not exist\)\. Try `pip "
    )
    with pytest.raises(UsageError, match=expected):
        pretrained("timm/resnet18")
    with pytest.raises(UsageError, match=expected):
        create("timm/resnet18")


def test_weights_that_are_not_here_say_how_to_get_them(timm: Any, home: Path) -> None:
    with pytest.raises(WeightsError, match=r"Try `striate weights fetch timm/resnet10t\.c3_in1k`\."):
        pretrained(NAME)


def test_they_are_fetched_and_give_timms_logits(
    timm: Any, content: bytes, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan({"/timm/resnet10t.c3_in1k/resolve/main/model.safetensors": content})
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(plan) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        manifest = named(NAME, {})
        assert manifest is not None
        fetch(manifest)
    found = pretrained(NAME)
    assert (found.name, found.arguments, len(found.classes)) == (NAME, {}, 1000)
    assert found.said == ("timm/resnet10t.c3_in1k was published for bicubic resizing; images are resized bilinearly.",)
    torch.manual_seed(0)
    theirs, images = timm.create_model("resnet10t").eval(), torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        torch.testing.assert_close(found.net(images), theirs(images))


def test_what_timm_has_downloaded_is_found(timm: Any, content: bytes, home: Path) -> None:
    repo = home / "hf" / "hub" / "models--timm--resnet10t.c3_in1k"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("c0ffee")
    (repo / "snapshots" / "c0ffee").mkdir(parents=True)
    (repo / "snapshots" / "c0ffee" / "model.safetensors").write_bytes(content)
    assert load(NAME, device="cpu").classes[0] == "tench, Tinca tinca"
