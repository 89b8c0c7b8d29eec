"""What a net promises about its head: it is named, it can be replaced, and nothing else changes."""

from typing import Any

import pytest
import torch
from net_table import EACH, Net
from torch import Tensor, nn

from striate.errors import UsageError
from striate.nets import create, heads_of, replace_head, takes_vectors

pytestmark = pytest.mark.parametrize("row", EACH)


def meta_net(row: Net, **arguments: Any) -> Any:
    with torch.device("meta"):
        return create(row.name, **arguments).eval()


def logits_of(net: Any, row: Net) -> list[Tensor]:
    images = torch.empty(2, *row.input, device="meta")
    return [net(images), *(net.branches(images) if hasattr(net, "branches") else ())]


def outside(names: list[str], heads: tuple[str, ...]) -> list[str]:
    return [name for name in names if not name.startswith(tuple(f"{head}." for head in heads))]


def test_the_net_names_its_heads(row: Net) -> None:
    net = meta_net(row)
    assert isinstance(net.head, str)
    heads = heads_of(net)
    assert heads[0] == net.head
    assert {head.partition(".")[0] for head in heads} == {head.partition(".")[0] for head in row.heads}
    for head in heads:
        assert any(True for _ in net.get_submodule(head).parameters())
        assert not any(f"{head}.".startswith(f"{stage}.") for stage in net.stages)


def test_a_head_of_another_size(row: Net) -> None:
    net = meta_net(row)
    before, keys = dict(net.named_parameters()), list(net.state_dict())
    with torch.device("meta"):
        replace_head(net, 7)
    for logits in logits_of(net, row):
        assert logits.shape == row.logits_shape(2, 7, *row.input[1:])
    after = dict(net.named_parameters())
    assert list(net.state_dict()) == keys
    assert all(after[name] is before[name] for name in outside(list(after), heads_of(net)))
    assert all(after[name] is not before[name] for name in after.keys() - outside(list(after), heads_of(net)))
    assert {name: p.shape for name, p in after.items()} == {
        name: p.shape for name, p in meta_net(row, num_classes=7).named_parameters()
    }


@pytest.mark.parametrize("kind", ["mlp", "cosine"])
def test_a_head_of_another_kind(row: Net, kind: str) -> None:
    net = meta_net(row)
    before = dict(net.named_parameters())
    head = net.get_submodule(net.head)
    possible = isinstance(head, nn.Linear) or (kind == "mlp" and isinstance(head, nn.Conv2d))
    with torch.device("meta"):
        if not possible:
            with pytest.raises(UsageError, match=rf"^`head`: expected linear.*; got {kind}\. Try `headed`"):
                replace_head(net, 7, kind)
            assert dict(net.named_parameters()).keys() == before.keys()
            return
        replace_head(net, 7, kind, hidden=5)
        made = create(row.name, num_classes=7, head=kind, hidden=5)
    for logits in logits_of(net, row):
        assert logits.shape == row.logits_shape(2, 7, *row.input[1:])
    after = dict(net.named_parameters())
    assert all(after[name] is before[name] for name in outside(list(after), heads_of(net)))
    assert outside(list(after), heads_of(net)) == outside(list(before), heads_of(net))
    assert {name: p.shape for name, p in after.items()} == {name: p.shape for name, p in made.named_parameters()}


def test_a_head_on_vectors_gives_the_logits_as_they_are(row: Net) -> None:
    net = meta_net(row)
    if not takes_vectors(net):
        assert row.per_pixel or type(net.get_submodule(net.head)) is not nn.Linear
        return
    given: list[Tensor] = []
    net.get_submodule(net.head).register_forward_hook(lambda _module, inputs, output: given.extend((*inputs, output)))
    logits = net(torch.empty(2, *row.input, device="meta"))
    vectors, output = given
    assert vectors.ndim == 2
    assert logits is output
