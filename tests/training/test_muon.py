import pytest
import torch
from torch import Tensor

from striate.training.muon import Muon, orthogonal


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(8, 8), (4, 30), (30, 4), (64, 576)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = random(*shape)
    found = orthogonal(matrix)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.diagonal(u.T @ found @ v.T)
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (u.T @ found @ v.T - torch.diag(values)).abs().max() < 0.1


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_does_not_matter(scale: float) -> None:
    assert torch.allclose(orthogonal(random(5, 9) * scale), orthogonal(random(5, 9)), atol=0.05)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    weight = torch.nn.Parameter(random(4, 3, 2, 2))
    weight.grad = torch.zeros_like(weight)
    optimizer = Muon([{"params": [weight], "matrices": True}], lr=0.1, momentum=0.9)
    before = weight.detach().clone()
    optimizer.step()
    assert torch.equal(weight, before)


def test_a_step_is_as_large_as_one_of_adamw() -> None:
    """By Liu et al.'s scale: a root mean square of 0.2 at rate 1, for tall and wide weights, of convolutions too."""
    for shape in ((64, 32, 3, 3), (256, 16, 1, 1), (10, 500)):
        weight = torch.nn.Parameter(torch.zeros(shape))
        weight.grad = random(*shape)
        Muon([{"params": [weight], "matrices": True}], lr=1.0, momentum=0.9).step()
        assert 0.15 < weight.square().mean().sqrt() < 0.25


def test_its_state_can_be_saved_and_gone_on_with() -> None:
    def steps(optimizer: Muon, parameters: list[torch.nn.Parameter], seeds: range) -> None:
        for seed in seeds:
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
            optimizer.step()

    def fresh() -> tuple[Muon, list[torch.nn.Parameter]]:
        parameters = [torch.nn.Parameter(random(4, 6)), torch.nn.Parameter(random(4))]
        groups = [{"params": parameters[:1], "matrices": True}, {"params": parameters[1:], "matrices": False}]
        return Muon(groups, lr=0.1, momentum=0.9), parameters

    whole, expected = fresh()
    steps(whole, expected, range(4))
    first, parameters = fresh()
    steps(first, parameters, range(2))
    second, others = fresh()
    with torch.no_grad():
        for other, parameter in zip(others, parameters, strict=True):
            other.copy_(parameter)
    second.load_state_dict(first.state_dict())
    steps(second, others, range(2, 4))
    assert all(torch.equal(a, b) for a, b in zip(others, expected, strict=True))
