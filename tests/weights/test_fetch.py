"""Fetching; the addresses are of this machine."""

import hashlib
import http.server
import sys
import threading
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from striate.errors import WeightsError
from striate.weights import Manifest, fetch, verify
from striate.weights.manifest import Hub

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def manifest(url: str = "", hub: Hub | None = None, sha256: str = SHA256, size: int = len(CONTENT)) -> Manifest:
    return Manifest(
        name="lenet5.mine",
        file="mine.safetensors",
        sha256=sha256,
        size=size,
        source="here",
        licence="MIT",
        layout="striate",
        preprocessing={},
        classes=("a",),
        url=url,
        hub=hub,
    )


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    served.mkdir()
    (served / "mine").write_bytes(CONTENT)
    with http.server.HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_fetching_from_an_address(address: str, tmp_path: Path) -> None:
    seen: list[int] = []
    folder = tmp_path / "a" / "b"
    path = fetch(manifest(url=f"{address}/mine"), folder, seen.append)
    assert path.read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert [entry.name for entry in folder.iterdir()] == ["mine.safetensors"]
    (tmp_path / "served" / "mine").unlink()
    assert fetch(manifest(url=f"{address}/mine"), folder) == path  # it is here already


@pytest.mark.parametrize(
    ("what", "sha256", "size", "sentence"),
    [
        ("mine", "0" * 64, len(CONTENT), f"expected lenet5.mine, with sha256 {'0' * 64}; got {SHA256}. It is another"),
        ("mine", SHA256, 100, "expected 100 bytes; got more. It is another file."),
        ("none", SHA256, 100, "lenet5.mine: expected mine.safetensors at "),
    ],
)
def test_what_is_not_as_published_leaves_nothing(
    address: str, tmp_path: Path, what: str, sha256: str, size: int, sentence: str
) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(f"{address}/{what}", sha256=sha256, size=size), folder)
    assert sentence in str(caught.value)
    assert list(folder.iterdir()) == []


def test_no_address(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(), tmp_path)
    assert str(caught.value) == (
        "lenet5.mine: no address to fetch it from is known; expected a copy of mine.safetensors (from here) "
        f"in {tmp_path}."
    )


def test_what_is_there_and_wrong_is_not_replaced(address: str, tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match="remove it and get it anew"):
        fetch(manifest(url=f"{address}/mine"), tmp_path)
    assert (tmp_path / "mine.safetensors").read_bytes() == b"other"


HUB = Hub(repo="a/b", revision="c0ffee", file="x/mine")


def test_the_hub_without_its_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(hub=HUB), tmp_path)
    assert str(caught.value) == (
        "lenet5.mine: it lies on the Hugging Face hub; expected huggingface-hub to be installed. "
        "Try `pip install 'striate[hub]'`."
    )


def client(path: Path, asked: list[tuple[str, str, str]]) -> types.ModuleType:
    """Stands for huggingface_hub."""

    def hf_hub_download(*, repo_id: str, filename: str, revision: str) -> str:
        asked.append((repo_id, filename, revision))
        if not path.exists():
            raise FileNotFoundError("404")
        return str(path)

    module = types.ModuleType("huggingface_hub")
    module.__dict__["hf_hub_download"] = hf_hub_download
    return module


def test_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cached, asked = tmp_path / "cached", []  # type: ignore[var-annotated]
    monkeypatch.setitem(sys.modules, "huggingface_hub", client(cached, asked))
    folder = tmp_path / "folder"
    with pytest.raises(WeightsError) as caught:
        fetch(manifest(hub=HUB), folder)
    assert str(caught.value) == "lenet5.mine: expected x/mine of a/b on the Hugging Face hub; 404."
    cached.write_bytes(b"other")
    with pytest.raises(WeightsError, match=f"{cached}: expected lenet5.mine, with sha256"):
        fetch(manifest(hub=HUB), folder)
    cached.write_bytes(CONTENT)
    assert fetch(manifest(hub=HUB), folder).read_bytes() == CONTENT
    assert set(asked) == {("a/b", "x/mine", "c0ffee")}
    verify(manifest(), folder / "mine.safetensors")
