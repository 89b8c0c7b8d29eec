"""The learning rates at which training still works, with and without batch norm."""

from functools import partial

from striate.studies.images import DIGITS, PHOTOS, Source
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import convnet
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, more

WORK = "rates that work"
RATES = (0.003, 0.03, 0.3, 3.0)


ENOUGH = {DIGITS: 0.8, PHOTOS: 0.3}  # an accuracy that is no guess


def trained(trial: Trial, source: Source, norm: bool) -> Measures:
    images, scores = trial.data[source].draw(400 if source is DIGITS else 1000, trial.seed), []
    for rate in RATES:
        net = convnet((12, 16, 24), in_channels=source.channels, pools=(0, 1), norm=norm)
        learn(net, images, recipe(trial, 7, lr=rate))
        scores.append(accuracy(net, images.test, images.test_labels))
    return {"test accuracy": scores, WORK: float(sum(score >= ENOUGH[source] for score in scores))}


KINDS = {"digits": ENOUGH[DIGITS], "photos": ENOUGH[PHOTOS]}
STUDY = Study(
    claims=("e-bn",),
    claim="With batch norm training works at learning rates at which it fails without",
    setup="Three convolutions learn from 400 digits, or from 1,000 colour photos of 16x16 pixels, for 7 epochs, at "
    "four learning rates, each ten times the one before, with and without batch norm after each convolution. A "
    "rate works if it reaches an accuracy of 80 % on digits, or of 30 % on photos.",
    arms={
        "digits, batch norm": partial(trained, source=DIGITS, norm=True),
        "digits, none": partial(trained, source=DIGITS, norm=False),
        "photos, batch norm": partial(trained, source=PHOTOS, norm=True),
        "photos, none": partial(trained, source=PHOTOS, norm=False),
    },
    figure=Lines("test accuracy", "learning rate", tuple(map(str, RATES))),
    rule=lambda numbers: all_of(
        {
            f"{kind}, rate 0.3": more(numbers, "test accuracy", f"{kind}, batch norm", f"{kind}, none", at=2)
            for kind in KINDS
        }
        | {
            f"{kind}, rate 0.3 with batch norm": inside(
                numbers, "test accuracy", f"{kind}, batch norm", low=enough, at=2
            )
            for kind, enough in KINDS.items()
        }
        | {f"{kind}, {WORK}": more(numbers, WORK, f"{kind}, batch norm", f"{kind}, none", least=0.5) for kind in KINDS}
    ),
    planted={
        HOLDS: {
            arm: {"test accuracy": [0.8, 0.9, last, last], WORK: rates}
            for kind in KINDS
            for arm, last, rates in ((f"{kind}, batch norm", 0.95, 4.0), (f"{kind}, none", 0.1, 2.0))
        },
        FAILS: {
            arm: {"test accuracy": [0.8, 0.9, last, last], WORK: rates}
            for kind in KINDS
            for arm, last, rates in ((f"{kind}, batch norm", 0.1, 2.0), (f"{kind}, none", 0.95, 4.0))
        },
    },
    literature="Ioffe and Szegedy 2015, arXiv:1502.03167, sec. 4.2.1: Inception at 30 times the rate. Santurkar et "
    "al. 2018, arXiv:1805.11604: not because of covariate shift, but because the loss becomes smoother. "
    "Bjorck et al. 2018, arXiv:1806.02375.",
    remark="With batch norm the network works at two of the four rates in these 7 epochs, on digits and on photos, "
    "the larger a hundred times the smallest tried; without it on digits at none, and on photos at one at "
    "most, in some seeds. At 3.0 both begin to fail.",
    sources=(DIGITS, PHOTOS),
)
