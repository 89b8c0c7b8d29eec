"""What 30 layers make of a signal, by the variance of their weights."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from striate.nets.initialise import reinitialise
from striate.studies.images import DIGITS
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside

LAYERS, WIDTH = 30, 64


def measured(
    trial: Trial, initial: str, activation: Callable[[Tensor], Tensor] = torch.relu, gain: float = 1.0
) -> Measures:
    """The mean square of what each of 30 dense layers of 64 units gives, for 200 digits."""
    layers = [nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)]
    reinitialise(nn.Sequential(*layers), initial, trial.seed)
    x, sizes = trial.images.train[:200].flatten(1), []
    with torch.inference_mode():
        for layer in layers:
            x = activation(gain * layer(x))
            sizes.append(max(x.square().mean().item(), 1e-30))
    return {"mean square of the outputs": sizes}


MEASURE = "mean square of the outputs"
STUDY = Study(
    claims=("e-variance", "e-explode", "e-mean"),
    claim="A signal keeps its size through 30 layers if n Var(w) is right: less vanishes, and more explodes",
    setup="30 dense layers of 64 units see 200 digits, at the start of training. Weights are zero, small (0.01), by "
    "Glorot and Bengio's rule, for which n Var(w) = 1, by He's, for which it is 2, and by He's times 1.5.",
    arms={
        "zeros, ReLU": partial(measured, initial="zeros"),
        "small, ReLU": partial(measured, initial="small_random"),
        "n Var(w) = 1, linear": partial(measured, initial="xavier", activation=lambda x: x),
        "n Var(w) = 1, ReLU": partial(measured, initial="xavier"),
        "n Var(w) = 2, ReLU": partial(measured, initial="he"),
        "n Var(w) = 4.5, ReLU": partial(measured, initial="he", gain=1.5),
    },
    figure=Lines(MEASURE, "layer", tuple(map(str, range(1, LAYERS + 1))), log=True),
    rule=lambda numbers: all_of(
        {
            "1 is right without activation": inside(
                numbers, MEASURE, "n Var(w) = 1, linear", low=0.05, high=20, at=LAYERS - 1, log=True
            ),
            "1 is right with ReLU": inside(
                numbers, MEASURE, "n Var(w) = 1, ReLU", low=0.05, high=20, at=LAYERS - 1, log=True
            ),
            "2 is right with ReLU": inside(
                numbers, MEASURE, "n Var(w) = 2, ReLU", low=0.05, high=20, at=LAYERS - 1, log=True
            ),
            "nothing is left of zeros": inside(numbers, MEASURE, "zeros, ReLU", high=1e-20, at=LAYERS - 1, log=True),
            "less vanishes": inside(numbers, MEASURE, "small, ReLU", high=1e-6, at=LAYERS - 1, log=True),
            "more explodes": inside(numbers, MEASURE, "n Var(w) = 4.5, ReLU", low=1e3, at=LAYERS - 1, log=True),
        }
    ),
    planted={
        HOLDS: {
            name: {MEASURE: [0.5] * (LAYERS - 1) + [last]}
            for name, last in {
                "zeros, ReLU": 1e-30,
                "small, ReLU": 1e-9,
                "n Var(w) = 1, linear": 1.1,
                "n Var(w) = 1, ReLU": 0.9,
                "n Var(w) = 2, ReLU": 1.2,
                "n Var(w) = 4.5, ReLU": 1e9,
            }.items()
        },
        FAILS: {
            name: {MEASURE: [0.5] * (LAYERS - 1) + [last]}
            for name, last in {
                "zeros, ReLU": 0.9,
                "small, ReLU": 0.9,
                "n Var(w) = 1, linear": 1e-7,
                "n Var(w) = 1, ReLU": 1e-7,
                "n Var(w) = 2, ReLU": 1e7,
                "n Var(w) = 4.5, ReLU": 1.1,
            }.items()
        },
    },
    literature="Glorot and Bengio 2010, eqs. 8 to 12, for units that are linear near zero. He et al. 2015, "
    "arXiv:1502.01852, eq. 10 and fig. 3: ReLU halves the power, so n Var(w) is to be 2; with 30 layers, "
    "Glorot and Bengio's rule stalls.",
    remark="n Var(w) = 1 is right for layers that are linear near zero. ReLU throws half of the power away in each "
    "layer, so that after 30 layers 2 to the power of -30 of it is left, and n Var(w) has to be 2: the notes'"
    " rule lacks the activation. From weights of zero nothing arrives at all; small ones lose what they are "
    "given within twelve layers.",
    sources=(DIGITS,),
)
