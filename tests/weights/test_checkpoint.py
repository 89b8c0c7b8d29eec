"""Dicts of tensors within dicts, beside other things."""

from typing import Any

import pytest
import torch

from striate.weights.checkpoint import AVERAGES, WRAPPERS, unwrapped, without_prefixes

TENSORS = {"a.weight": torch.ones(2, 3), "a.running_mean": torch.zeros(2), "a.num_batches_tracked": torch.tensor(3)}
OTHERS = {name: tensor + 1 for name, tensor in TENSORS.items()}
STEPS = {"state": {0: {"exp_avg": torch.zeros(9, 9)}, "a": {"exp_avg": torch.zeros(9, 9)}}, "param_groups": [{"lr": 1}]}


def taken(content: object) -> tuple[dict[str, torch.Tensor] | None, tuple[str, ...]]:
    found = unwrapped(content)
    return (found.tensors, found.said) if found else (None, ())


@pytest.mark.parametrize("key", [*WRAPPERS, "a_name_of_its_own", "netG"])
def test_a_dict_of_tensors_is_found_under_any_name(key: str) -> None:
    assert taken({"epoch": 3, key: TENSORS, "optimizer": STEPS}) == (TENSORS, ())
    assert taken({"state": {"checkpoint": {key: TENSORS}}, "optimizer_state": STEPS}) == (TENSORS, ())


@pytest.mark.parametrize("key", AVERAGES)
def test_a_moving_average_goes_before_the_weights(key: str) -> None:
    said = f"It holds a moving average of the weights (`{key}.module`), which is taken."
    average = {"n_averaged": torch.tensor(5), **{f"module.{name}": tensor for name, tensor in TENSORS.items()}}
    assert taken({"model": OTHERS, key: {"module": average, "decay": 0.9}}) == (TENSORS, (said,))


def test_a_moving_average_of_some_tensors_does_not() -> None:
    said = "Its moving average (`ema`) is not of all tensors, so the weights themselves are taken."
    assert taken({"model": TENSORS, "ema": {"a.weight": torch.zeros(2, 3)}}) == (TENSORS, (said,))


def test_of_several_the_likeliest_and_then_the_largest_is_taken() -> None:
    larger = {"b.weight": torch.zeros(9, 9)}
    said = "Of its dicts of tensors, `model` is taken, and left out: loss.head."
    assert taken({"loss": {"head": larger}, "model": TENSORS}) == (TENSORS, (said,))
    said = "Of its dicts of tensors, `netG` is taken, and left out: netD."
    assert taken({"netD": TENSORS, "netG": larger}) == (larger, (said,))


def test_plain_values_may_stand_beside_the_tensors() -> None:
    assert taken({**TENSORS, "epoch": 3, "arch": "resnet18"}) == (TENSORS, ())


@pytest.mark.parametrize(
    "content", [STEPS, {"optimizer": STEPS}, {"best": torch.tensor(0.5), "epoch": 3}, {}, [], None]
)
def test_what_holds_no_weights(content: object) -> None:
    assert unwrapped(content) is None


def test_a_dict_that_holds_itself() -> None:
    content: dict[str, Any] = {"epoch": 3}
    content |= {str(i): content for i in range(1000)}
    assert unwrapped(content) is None
    assert taken(content | {"net": TENSORS}) == (TENSORS, ())


def test_what_wrappers_put_into_names_is_taken_out() -> None:
    names = ("module._orig_mod.a.weight", "module.a._orig_mod.b.weight", "module.a._fsdp_wrapped_module.c.weight")
    assert [*without_prefixes(dict.fromkeys(names, torch.zeros(1)))] == ["a.weight", "a.b.weight", "a.c.weight"]
    both = dict.fromkeys(("a._orig_mod.b", "a.b"), torch.zeros(1))  # which would become one
    assert without_prefixes(both) == both
