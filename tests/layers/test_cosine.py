import torch
from torch.nn.functional import cosine_similarity

from striate.layers.cosine import Cosine


def test_logits_are_cosines_of_standardised_vectors_times_the_scale() -> None:
    layer, x = Cosine(5, 3), torch.randn(4, 5)
    layer.mean, layer.std = torch.randn(5), torch.rand(5) + 0.5
    standard = (x - layer.mean) / layer.std
    expected = 10 * cosine_similarity(standard[:, None], layer.weight[None], dim=2)
    torch.testing.assert_close(layer(x), expected)


def test_the_length_of_a_weight_plays_no_part_and_mean_and_deviation_are_not_learnt() -> None:
    layer, x = Cosine(5, 3), torch.randn(4, 5)
    before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(7)
    torch.testing.assert_close(layer(x), before)
    assert {name for name, _ in layer.named_parameters()} == {"weight", "scale"}
    assert layer.state_dict().keys() == {"weight", "scale", "mean", "std"}
