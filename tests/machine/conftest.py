"""Findings of a bench that were never measured."""

from collections.abc import Callable

import pytest
import torch

from striate.device import Machine
from striate.machine import Bench
from striate.machine.conditions import Conditions
from striate.machine.networks import Speed
from striate.machine.timing import Rate

IDLE = Conditions(cores=2, physical_cores=2, threads=2, load=0.1)


def steady(value: float) -> Rate:
    return Rate(value, value, value)


def of_networks(model: str, precision: str, images: float) -> Speed:
    return Speed(model, precision, steady(images), steady(3 * images), multiplications=10**9, peak_bytes=None)


@pytest.fixture
def found() -> Callable[..., Bench]:
    """Makes findings on an idle machine of two cores, of the rates that are given."""

    def make(
        *,
        device: str = "cpu",
        precision: str = "bfloat16",
        conditions: Conditions = IDLE,
        gain: float = 4,
        fresh: float = 7e9,
        speeds: list[tuple[str, str, float]] | None = None,
        loading: dict[str, dict[str, dict[int, float]]] | None = None,
    ) -> Bench:
        given = {"float32": 1e12, "bfloat16": gain * 1e12}
        ways = ("forward", "forward and back")
        return Bench(
            machine=Machine(torch.device(device), precision, "channels_last", "as asked"),  # type: ignore[arg-type]
            conditions=conditions,
            products={name: steady(value) for name, value in given.items()},
            convolutions={f"{name}, {way}": steady(value) for name, value in given.items() for way in ways},
            memory={"copied": steady(8e9), "fresh": steady(fresh)},
            speeds=[of_networks(*speed) for speed in speeds or []],
            loading={
                kind: {
                    source: {workers: steady(rate) for workers, rate in by_workers.items()}
                    for source, by_workers in by_source.items()
                }
                for kind, by_source in (loading or {}).items()
            },
        )

    return make
