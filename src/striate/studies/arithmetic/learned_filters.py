"""A 3x3 filter that learns from examples finds the designed one, at any angle."""

from functools import partial

import torch

from striate.explain.filters import kernel
from striate.studies.images import DIGITS
from striate.studies.study import Maps, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside

STEPS, RATE, NOISE = 200, 0.2, 0.5


def learned(trial: Trial, angle: float) -> Measures:
    """Nine weights, from small random values, by Adam on the squared error of a noisy answer."""
    wanted = torch.from_numpy(kernel("sobel", angle)).float()
    weights = (0.1 * torch.randn(3, 3)).requires_grad_()
    optimizer = torch.optim.Adam([weights], RATE)
    for _ in range(trial.epochs(STEPS)):
        images = trial.images.train[torch.randint(len(trial.images.train), (64,))]
        with torch.no_grad():
            answers = torch.conv2d(images, wanted[None, None])
            answers = answers + NOISE * torch.randn(answers.shape)
        loss = (torch.conv2d(images, weights[None, None]) - answers).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = weights.detach()
    alike = torch.cosine_similarity(found.flatten(), wanted.flatten(), dim=0)
    return {"filter": found.flatten().tolist(), "cosine with the designed one": float(alike)}


ANGLES = (0, 45, 70)
STUDY = Study(
    claims=("b-learned", "b-angles", "b-sobel"),
    claim="A 3x3 filter that learns by gradient descent rediscovers Sobel's, and edges at 45 and 70 degrees",
    setup="The nine weights begin at small random values. Shown digits, and the answers of a Sobel filter with "
    "noise of half a standard deviation of the images added, they learn to answer alike. Nobody tells "
    "them the filter.",
    arms={f"Sobel at {angle} degrees": partial(learned, angle=angle) for angle in ANGLES},
    figure=Maps("filter", columns=3),
    rule=lambda numbers: all_of(
        {
            f"{a} degrees": inside(
                numbers, "cosine with the designed one", f"Sobel at {a} degrees", low=0.99, name="cosine"
            )
            for a in ANGLES
        }
    ),
    planted={
        HOLDS: {f"Sobel at {a} degrees": {"cosine with the designed one": 0.9995} for a in ANGLES},
        FAILS: {f"Sobel at {a} degrees": {"cosine with the designed one": 0.6} for a in ANGLES},
    },
    literature="The first layers of trained networks hold edges at many angles: Krizhevsky et al. 2012, fig. 3; "
    "Olshausen and Field 1996 find them from photos without any labels. Optimised derivative filters "
    "differ from Sobel's: Scharr 2000.",
    remark="That the filter is found does not say that a network would want it: here the answers are Sobel's. In "
    "a network the task decides which edges help; `striate explain --filters` shows the first filters of "
    "a model.",
    sources=(DIGITS,),
    seeds=3,
)
