import pytest

from striate.bench.advice import advise
from striate.bench.networks import Speed
from striate.bench.timing import Rate


def steady(value: float) -> Rate:
    return Rate(value, value, value)


def speed(model: str, precision: str, pictures: float) -> Speed:
    return Speed(model, precision, steady(pictures), steady(3 * pictures), multiplications=10**9)


def convolutions(float32: float, bfloat16: float) -> dict[str, Rate]:
    ways = ("forward", "forward and back")
    given = {"float32": float32, "bfloat16": bfloat16}
    return {f"{name}, {way}": steady(value) for name, value in given.items() for way in ways}


PLAIN = {"copied": steady(8e9), "fresh": steady(7e9)}
FAST = {"640x480": {1: steady(400), 2: steady(700)}}


def test_a_machine_on_which_all_is_well() -> None:
    assert advise(convolutions(1e12, 4e12), PLAIN, [speed("wide", "bfloat16", 400)], FAST) == [
        "Convolutions run 4.0 times as fast in bfloat16 as in float32: it is worth its digits.",
        "640x480: 2 workers load 700 pictures a second, and wide takes 400: the network sets the pace.",
    ]


@pytest.mark.parametrize(
    ("times", "verdict"), [(1.19, "--precision float32 is better"), (1.21, "it is worth its digits")]
)
def test_bfloat16_is_worth_its_digits_from_a_fifth(times: float, verdict: str) -> None:
    (sentence,) = advise(convolutions(1e12, times * 1e12), PLAIN, [], {})
    assert sentence.endswith(f"as in float32: {verdict}.")


def test_memory_that_is_dear_is_kept() -> None:
    sentences = advise(convolutions(1e12, 4e12), {"copied": steady(8e9), "fresh": steady(2e9)}, [], {})
    assert sentences[1:] == [
        "Memory new from the kernel is written 4.0 times as slowly as memory that is kept: leave --keep-memory on."
    ]


def test_a_network_far_below_the_best_convolution_is_bound_by_memory() -> None:
    thin = [speed("thin", "float32", 50), speed("thin", "bfloat16", 100)]  # 100 x 6 x 10^9 of 4 x 10^12 is 15 %
    assert advise(convolutions(1e12, 4e12), PLAIN, thin, {})[1:] == [
        "thin trains at 15% of what a convolution in bfloat16 reaches: memory bounds it, not arithmetic. A network of "
        "wider layers costs less than its multiplications say."
    ]


def test_networks_that_take_more_than_is_loaded_are_named() -> None:
    speeds = [speed("quick", "bfloat16", 900), speed("slow", "bfloat16", 300), speed("other", "bfloat16", 400)]
    slow = {"12 megapixels": {1: steady(350), 2: steady(340)}}
    assert advise(convolutions(1e12, 4e12), PLAIN, speeds, slow)[1:] == [
        "12 megapixels: 1 worker loads 350 pictures a second, less than these networks take: quick (900), other (400). "
        "Try --pixel-cache on, which decodes each picture once."
    ]


def test_a_busy_machine_is_noticed_first() -> None:
    shaky = {name: Rate(rate.median, rate.median / 2, rate.median) for name, rate in convolutions(1e12, 4e12).items()}
    assert advise(shaky, PLAIN, [], {})[0].startswith("The machine was doing something else: ")
