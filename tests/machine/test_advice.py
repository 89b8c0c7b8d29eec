from collections.abc import Callable
from dataclasses import replace

import pytest

from striate.machine import Bench, advise
from striate.machine.conditions import Conditions
from striate.machine.timing import Rate

Found = Callable[..., Bench]
WORTH_IT = (
    "Convolutions run 4.0 times as fast in bfloat16 as in float32: it is worth its digits, and --precision auto "
    "takes it."
)


def test_a_machine_on_which_all_is_well(found: Found) -> None:
    fast = {"640x480": {"files": {1: 2000, 2: 4000}, "cache": {1: 5000, 2: 9000}}}
    assert advise(found(speeds=[("wide", "bfloat16", 400)], loading=fast)) == [
        WORTH_IT,
        "640x480: 2 workers load 4,000 images a second, and wide takes 400: the network sets the pace.",
    ]


@pytest.mark.parametrize(
    ("gain", "precision", "verdict"),
    [
        (1.21, "bfloat16", "it is worth its digits, and --precision auto takes it"),
        (1.21, "float32", "try --precision bfloat16"),
        (1.19, "bfloat16", "try --precision float32"),
        (1.19, "float32", "float32 stays"),
    ],
)
def test_bfloat16_is_worth_its_digits_from_a_fifth(found: Found, gain: float, precision: str, verdict: str) -> None:
    (sentence,) = advise(found(gain=gain, precision=precision))
    assert sentence == f"Convolutions run 1.2 times as fast in bfloat16 as in float32: {verdict}."


def test_memory_that_is_dear_is_kept(found: Found) -> None:
    assert advise(found(fresh=2e9)) == [
        WORTH_IT,
        "Memory new from the kernel is written 4.0 times as slowly as memory that is kept: leave --keep-memory on.",
    ]


def test_a_gpu_does_not_mind_the_memory_and_the_threads_of_the_processor(found: Found) -> None:
    one_thread = Conditions(cores=2, physical_cores=2, threads=1, load=None)
    assert advise(found(device="cuda", fresh=2e9, conditions=one_thread)) == [WORTH_IT]


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        (
            Conditions(cores=2, physical_cores=2, threads=2, load=1.06),
            "The machine was busy before this began: 1.1 programs wanted to run on 2 cores. Measure again when it is "
            "idle.",
        ),
        (
            Conditions(cores=1, physical_cores=1, threads=8, load=0.0),
            "Arithmetic has 8 threads for 1 core, where they wait for each other. Try OMP_NUM_THREADS=1.",
        ),
        (
            Conditions(cores=16, physical_cores=8, threads=1, load=0.0),
            "Arithmetic has 1 thread for 8 cores. Is OMP_NUM_THREADS set? Try without.",
        ),
    ],
)
def test_what_else_slows_a_machine_down_comes_first(found: Found, conditions: Conditions, sentence: str) -> None:
    assert advise(found(conditions=conditions)) == [sentence, WORTH_IT]


def test_two_threads_of_a_core_share_its_units(found: Found) -> None:
    """PyTorch then takes a thread for each physical core, which is right."""
    assert advise(found(conditions=Conditions(cores=16, physical_cores=8, threads=8, load=8.0))) == [WORTH_IT]


def test_rounds_that_differ_are_noticed(found: Found) -> None:
    bench = found()
    shaky = {name: Rate(rate.median, 0.7 * rate.median, rate.median) for name, rate in bench.convolutions.items()}
    assert advise(replace(bench, convolutions=shaky)) == [
        "The machine was doing something else: most rates differ by a quarter from round to round. Measure again when "
        "it is idle.",
        WORTH_IT,
    ]


def test_a_network_that_does_more_than_a_convolution_can_betrays_a_busy_machine(found: Found) -> None:
    """Inference counts too: 700 x 3 x 2 x 10^9 operations a second of 4 x 10^12."""
    speeds = [("slow", "float32", 100), ("fast", "bfloat16", 700)]
    assert advise(found(speeds=speeds)) == [
        "fast in bfloat16 came to 105% of the best convolution: the machine was busier while convolutions were "
        "measured, and no share can be trusted. Measure again when it is idle.",
        WORTH_IT,
    ]


def test_a_network_far_below_the_best_convolution_moves_memory(found: Found) -> None:
    thin = [("thin", "float32", 50), ("thin", "bfloat16", 100)]  # 100 x 6 x 10^9 of 4 x 10^12 is 15 %
    assert advise(found(speeds=thin)) == [
        WORTH_IT,
        "thin trains at 15% of what a convolution in bfloat16 reaches: most of its time goes to moving memory, not to "
        "multiplications. A network of wider layers costs less than its multiplications say.",
    ]


SPEEDS = [("quick", "bfloat16", 900), ("slow", "bfloat16", 300), ("slower", "bfloat16", 250)]


def test_on_a_gpu_only_networks_that_take_more_than_is_loaded_lose(found: Found) -> None:
    slow = {"12 megapixels": {"files": {1: 350, 2: 340}, "cache": {1: 500, 2: 720}}}
    assert advise(found(device="cuda", speeds=SPEEDS, loading=slow))[-1] == (
        "12 megapixels: 1 worker loads 350 images a second, and these networks lose time to that: quick 61%. "
        "Try --pixel-cache on, which gives 720: at most 20% are lost then."
    )


def test_on_a_cpu_loading_takes_its_time_from_every_network(found: Found) -> None:
    slow = {"12 megapixels": {"files": {1: 600, 2: 1100}, "cache": {1: 4000, 2: 8100}}}
    assert advise(found(speeds=SPEEDS, loading=slow))[-1] == (
        "12 megapixels: 2 workers load 1,100 images a second, and these networks lose time to that: quick 45%, slow "
        "21%. Try --pixel-cache on, which gives 8,100: at most 10% are lost then."
    )


def test_a_pixel_cache_that_gives_no_more_is_not_advised(found: Found) -> None:
    small = {"digits": {"files": {1: 1000}, "cache": {1: 1190}}}
    assert advise(found(speeds=SPEEDS, loading=small))[-1].endswith(
        "slow 23%. The pixel cache gives hardly more: try fewer augmentations, or a machine of more cores."
    )


def test_kinds_of_images_keep_their_order(found: Found) -> None:
    fast = {kind: {"files": {1: 9000.0}, "cache": {1: 9000.0}} for kind in ("small", "large")}
    assert [sentence.partition(":")[0] for sentence in advise(found(speeds=SPEEDS, loading=fast))[-2:]] == [
        "small",
        "large",
    ]
