"""Each net of the catalogue is known by its tensors; run as a script, this writes what they are known by."""

from pathlib import Path

import msgspec
import pytest
from net_table import NETS

from striate.graph.meta import build
from striate.nets import create
from striate.weights.fit import Signature, signature_of, signatures

COMPOSED = ("headed", "unet", "locator", "mobilenet_v1")  # of another net, or of any width


def named(name: str) -> bool:
    """Whether a net has a signature."""
    return not name.startswith("unet") and name not in COMPOSED


def signature(name: str) -> Signature:
    return signature_of(build(lambda: create(name)))


def test_each_net_that_is_not_composed_has_one() -> None:
    assert sorted(signatures()) == sorted(row.name for row in NETS if named(row.name))


@pytest.mark.parametrize("name", [row.name for row in NETS if named(row.name)])
def test_it_is_that_of_the_net(name: str) -> None:
    assert signatures()[name] == signature(name), "run python tests/contracts/test_net_signatures.py"


if __name__ == "__main__":
    found = {row.name: signature(row.name) for row in NETS if named(row.name)}
    path = Path(__file__).parents[2] / "src" / "striate" / "weights" / "signatures.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
