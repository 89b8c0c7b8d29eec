"""More images against a larger network."""

from functools import partial

from striate.studies.images import DIGITS, PHOTOS, Source
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.numbers import Numbers
from striate.studies.small import convnet
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, Verdict, all_of, inside, more

SIZES = {DIGITS: (50, 200, 800), PHOTOS: (200, 800, 3200)}
STEPS = {DIGITS: 192, PHOTOS: 192}  # of 50 images
GAIN = "gain of four times the images"


def trained(trial: Trial, source: Source, width: int) -> Measures:
    scores = []
    for size in SIZES[source]:
        images = trial.data[source].draw(size, trial.seed)
        net = convnet((width, width, width), in_channels=source.channels, pools=(0, 1) if source is PHOTOS else (0,))
        learn(net, images, recipe(trial, STEPS[source] * 50 // size, batch_size=50))
        scores.append(accuracy(net, images.test, images.test_labels))
    return {"test accuracy": scores, GAIN: scores[1] - scores[0]}


def beside(numbers: Numbers, kind: str) -> Verdict:
    """The small network on four times the images, against the large one."""
    gain = Numbers(
        {
            "small network, four times the images": {"x": list(numbers.of(f"{kind}, 4 channels", "test accuracy", 1))},
            "large network": {"x": list(numbers.of(f"{kind}, 16 channels", "test accuracy", 0))},
        }
    )
    return more(gain, "x", "small network, four times the images", "large network")


KINDS = {"digits": DIGITS, "photos": PHOTOS}
STUDY = Study(
    claims=("c-more-data", "b-lots", "b-hand"),
    claim="More images help, and they help more than a larger network does",
    setup="Three convolutions of 4 or of 16 channels (13 times the weights) learn from 50, 200 and 800 digits, or "
    "from 200, 800 and 3,200 colour photos of 16x16 pixels, for as many steps.",
    arms={
        f"{kind}, {width} channels": partial(trained, source=source, width=width)
        for kind, source in KINDS.items()
        for width in (4, 16)
    },
    figure=Lines("test accuracy", "training images, digits or photos", ("50 or 200", "200 or 800", "800 or 3,200")),
    rule=lambda numbers: all_of(
        {
            f"{kind}, {width} channels": inside(numbers, GAIN, f"{kind}, {width} channels", low=0.0)
            for kind in KINDS
            for width in (4, 16)
        }
        | {kind: beside(numbers, kind) for kind in KINDS}
    ),
    planted={
        HOLDS: {
            f"{kind}, {width} channels": {"test accuracy": [first, first + 0.25, 0.95], GAIN: 0.25}
            for kind in KINDS
            for width, first in ((4, 0.6), (16, 0.7))
        },
        FAILS: {
            f"{kind}, {width} channels": {"test accuracy": [first, first - 0.1, 0.6], GAIN: -0.1}
            for kind in KINDS
            for width, first in ((4, 0.7), (16, 0.9))
        },
    },
    literature="Banko and Brill 2001, Scaling to very very large corpora for natural language disambiguation: more "
    "text beats better algorithms. Sun et al. 2017, arXiv:1707.02968: accuracy grows with the logarithm "
    "of the number of images, and larger networks gain more from it.",
    remark="Four times the images add 16 points to the large network on digits and 20 to the small one, and on "
    "photos nine to the large one; the small one, with four channels for ten classes, gets next to nothing "
    "from more photos. But more images do not add more than a larger network does: with the fewer images the "
    "large network is ahead of the small one with four times as many, by thirteen points on digits and five "
    "on photos. A network has to be large enough for its images before more of them help.",
    sources=(DIGITS, PHOTOS),
    seeds=5,
)
