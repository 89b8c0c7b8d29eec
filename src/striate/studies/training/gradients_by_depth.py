"""How gradients fare on their way back through many layers, by activation function."""

from functools import partial

import torch
from torch import nn

from striate.layers.activation import activation_named
from striate.nets.initialise import reinitialise
from striate.studies.images import DIGITS
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, times

LAYERS, WIDTH = 16, 12


def measured(trial: Trial, name: str, initial: str) -> Measures:
    """The size of the gradient at the input of each layer, beside the last layer's, at the start of training."""
    activation = activation_named(name)
    convs = [nn.Conv2d(1 if number == 0 else WIDTH, WIDTH, 3, padding=1) for number in range(LAYERS)]
    reinitialise(nn.Sequential(*convs), initial, trial.seed)
    x = trial.images.train[trial.seed * 64 :][:64]
    sums, outputs = [], []
    for conv in convs:
        sums.append(conv(x))
        x = activation(sums[-1])
        outputs.append(x)
    gradients = torch.autograd.grad((x * torch.randn(x.shape)).sum(), sums)
    sizes = [gradient.square().mean().sqrt().item() for gradient in gradients]
    last = outputs[-1].detach()
    return {
        "gradient beside the last layer's": [size / sizes[-1] for size in sizes],
        "mean output over its deviation": float(last.mean() / last.std().clamp(min=1e-12)),
    }


STUDY = Study(
    claims=("e-sigmoid", "e-tanh", "e-relu", "d-relu"),
    claim="Gradients vanish on their way back through sigmoids; through ReLU they do not, and tanh is centred at zero",
    setup="Chains of 16 convolutions of 12 channels, at the start of training, see 64 digits. Weights are drawn "
    "by Glorot and Bengio's rule for sigmoid and tanh, by He's for ReLU and leaky ReLU. A random gradient "
    "is sent back from the end.",
    arms={
        "sigmoid": partial(measured, name="sigmoid", initial="xavier"),
        "tanh": partial(measured, name="tanh", initial="xavier"),
        "ReLU": partial(measured, name="relu", initial="he"),
        "leaky ReLU": partial(measured, name="leaky_relu", initial="he"),
    },
    figure=Lines("gradient beside the last layer's", "layer", tuple(map(str, range(1, LAYERS + 1))), log=True),
    rule=lambda numbers: all_of(
        {
            "sigmoid": inside(
                numbers, "gradient beside the last layer's", "sigmoid", high=1e-3, at=0, log=True, name="first layer"
            ),
            "ReLU": inside(
                numbers,
                "gradient beside the last layer's",
                "ReLU",
                low=0.05,
                high=20,
                at=0,
                log=True,
                name="first layer",
            ),
            "ReLU and sigmoid": times(numbers, "gradient beside the last layer's", "ReLU", "sigmoid", least=100, at=0),
            "tanh is centred": inside(numbers, "mean output over its deviation", "tanh", low=-0.5, high=0.5),
        }
    ),
    planted={
        HOLDS: {
            "sigmoid": {"gradient beside the last layer's": [1e-8] * LAYERS},
            "ReLU": {"gradient beside the last layer's": [0.8] * LAYERS},
            "tanh": {"mean output over its deviation": 0.01},
        },
        FAILS: {
            "sigmoid": {"gradient beside the last layer's": [0.9] * LAYERS},
            "ReLU": {"gradient beside the last layer's": [1e-8] * LAYERS},
            "tanh": {"mean output over its deviation": 2.0},
        },
    },
    literature="Glorot and Bengio 2010, figs. 2 to 7: sigmoids saturate, and gradients shrink from layer to layer. "
    "He et al. 2015, arXiv:1502.01852, sec. 2.2: 30 layers of ReLU train where weights have the right "
    "variance.",
    remark="Through 16 sigmoids one part in five thousand million of the gradient is left, and a sigmoid's "
    "outputs all lie on one side of zero. ReLU passes four tenths, tanh with Glorot and Bengio's rule "
    "almost three tenths: at the start of training tanh does not vanish either, as long as its inputs are "
    "small.",
    sources=(DIGITS,),
    seeds=5,
)
