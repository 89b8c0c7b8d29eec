from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from striate.explain import Faithfulness, activation_maps, faithfulness, occlusion_maps
from striate.explain.faithfulness import rank_correlation, with_shuffled_weights
from striate.model import Model

MakeModel = Callable[..., Model]


class Corner(torch.nn.Module):
    """Answers class 0 where the upper right corner is bright, by a learned gain."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor([4.0, -4.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :8, 24:].mean(dim=(1, 2, 3))[:, None] * self.gain


def test_a_map_that_is_right_is_told_from_one_that_is_not(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    model.net = Corner()
    images = images.clone()
    images[:, :8, 24:] = 255
    right = occlusion_maps(model, images)
    found = faithfulness(model, right, occlusion_maps)
    assert found.points
    assert found.p < 0.01
    assert np.all(found.insertion > found.deletion)
    wrong = replace(right, maps=-right.maps)
    lost = faithfulness(model, wrong, lambda *_: wrong)
    assert not lost.points
    assert lost.gain < 0
    assert lost.likeness == 1.0
    assert lost.sentence().startswith("The maps look much the same with shuffled weights: they show the images")


def test_the_scores_leave_the_model_as_it_is(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    found = faithfulness(model, activation_maps(model, images[:2]), activation_maps)
    assert found.deletion.shape == (2,)
    assert found.random_deletion.shape == (2, 4)
    for name, value in model.net.state_dict().items():
        assert torch.equal(value, before[name])


def test_shuffled_weights_hold_the_same_values(make_model: MakeModel) -> None:
    model = make_model()
    other = with_shuffled_weights(model)
    for name, parameter in model.net.named_parameters():
        shuffled = other.net.get_parameter(name)
        assert torch.equal(shuffled.flatten().sort().values, parameter.flatten().sort().values)
    assert not torch.equal(other.net.get_parameter("linear.weight"), model.net.get_parameter("linear.weight"))


def test_rank_correlation_agrees_with_scipy() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7, 7)).astype(np.float32)
    b[:3] = b[0, 0]
    assert np.isclose(rank_correlation(a, b), spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(a, np.zeros_like(a)) == 0.0


def test_random_maps_are_rarely_taken_to_mean_something() -> None:
    rng = np.random.default_rng(0)
    taken = 0
    for _ in range(400):
        deletion, insertion = rng.normal(0.5, 0.1, (2, 4, 5))
        found = Faithfulness(deletion[:, 0], insertion[:, 0], deletion[:, 1:], insertion[:, 1:], 0.0)
        taken += found.points
    assert 5 <= taken <= 40


def test_the_sentences() -> None:
    flat = np.full((3, 4), 0.5) + np.arange(4) / 100
    good = Faithfulness(np.full(3, 0.1), np.full(3, 0.9), flat, flat + 0.01 * flat, 0.1)
    assert good.sentence().startswith("The answers depend on the marked places, and the maps on the weights. Over 3")
    poor = Faithfulness(np.full(3, 0.5), np.full(3, 0.5), flat, flat + 0.01 * flat, 0.1)
    assert poor.sentence().startswith("The marked places matter no more to the answer than random ones")
    assert "deletion 0.50 (random places 0.52)" in poor.sentence()
