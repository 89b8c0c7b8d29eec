import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import striate
from striate.data import Preprocessing
from striate.errors import ModelFileError, UsageError
from striate.inspect import find
from striate.model import Model
from striate.tasks.classify import Classify

CODE = """
from torch import nn

class Small(nn.Module):
    def __init__(self, num_classes=3, depth=1):
        super().__init__()
        self.convs = nn.Sequential(*[nn.Conv2d(4, num_classes, 3) for _ in range(depth)])
    def forward(self, x):
        return self.convs(x)

class Counted(Small):
    def __init__(self):
        super().__init__()
        self.convs[0].weight.sum().item()

ready = Small()
number = 3
def nothing(): return None
def needs(this): return ready
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"nets_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_catalogue_name() -> None:
    target = find("lenet5", num_classes=7)
    assert target.input_shape == (1, 32, 32)
    assert target.net.get_submodule("fc3").out_features == 7
    assert all(parameter.is_meta for parameter in target.net.parameters())
    assert find("resnet18", in_channels=1, img_size=(64, 96)).input_shape == (1, 64, 96)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean `resnet18`"):
        find("resnet81")


def test_a_model_file(tmp_path: Path) -> None:
    net = striate.create("lenet5", num_classes=2).eval()
    preprocessing = Preprocessing((1, 32, 32), mean=(0.5,), std=(0.5,))
    path = tmp_path / "model.safetensors"
    Model(net, "lenet5", {"num_classes": 2}, Classify(("cat", "dog")), preprocessing).save(path)
    target = find(str(path))
    assert target.input_shape == (1, 32, 32)
    assert target.net.get_submodule("fc3").out_features == 2
    assert all(parameter.is_meta for parameter in target.net.parameters())
    with pytest.raises(UsageError, match="expected no --num-classes with a model file"):
        find(str(path), num_classes=3)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="got nothing there"):
        find(str(tmp_path / "none.safetensors"))
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ModelFileError, match="without its metadata"):
        find(str(tmp_path / "foreign.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(b"123")
    with pytest.raises(ModelFileError, match="that is whole"):
        find(str(tmp_path / "cut.safetensors"))


def test_importable_modules(code: str) -> None:
    assert find(f"{code}:Small", num_classes=5).input_shape == (4, 224, 224)
    assert all(p.is_meta for name in ("Small", "Counted", "ready") for p in find(f"{code}:{name}").net.parameters())
    assert str(Path.cwd()) not in sys.path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent_package:x", "expected a module that can be imported; No module named"),
        ("{}:Smal", "expected something in that module; .*Smal"),
        ("{}:number", "expected a function or class that makes an nn.Module; got int"),
        ("{}:nothing", "expected it to return an nn.Module; got NoneType"),
        ("{}:needs", "expected a call that needs no other argument; .*this"),
    ],
)
def test_names_that_cannot_be_meant(code: str, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find(name.format(code))


def test_an_argument_that_a_factory_does_not_take(code: str) -> None:
    with pytest.raises(UsageError, match="expected an argument that it takes; got `in_channels`"):
        find(f"{code}:Small", in_channels=3)


def test_timm_in_one_sentence_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"timm/resnet18: expected timm to be installed; .* Try `pip install"):
        find("timm/resnet18")


def test_a_model_of_timm() -> None:
    pytest.importorskip("timm", reason="the extra striate[hub] is not installed")
    target = find("timm/resnet18", in_channels=1, num_classes=2)
    assert target.input_shape == (1, 224, 224)
    assert sum(parameter.numel() for parameter in target.net.parameters()) == 11_171_266
    assert {parameter.device.type for parameter in target.net.parameters()} == {"meta"}
