"""More images against a larger network."""

from functools import partial

from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.numbers import Numbers
from striate.studies.small import convnet
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, Verdict, all_of, inside, more

SIZES = (50, 200, 800)
GAIN = "gain of four times the images"


def trained(trial: Trial, width: int) -> Measures:
    scores = []
    for size in SIZES:
        images, net = trial.images.draw(size, trial.seed), convnet((width, width, width), pools=(0,))
        learn(net, images, recipe(trial, 9600 // size, batch_size=50))
        scores.append(accuracy(net, images.test, images.test_labels))
    return {"test accuracy": scores, GAIN: scores[1] - scores[0]}


def beside(numbers: Numbers) -> Verdict:
    """The small network on four times the images, against the large one."""
    gain = Numbers(
        {
            "small network, 200 images": {"accuracy": list(numbers.of("4 channels", "test accuracy", 1))},
            "large network, 50 images": {"accuracy": list(numbers.of("16 channels", "test accuracy", 0))},
        }
    )
    return more(gain, "accuracy", "small network, 200 images", "large network, 50 images")


STUDY = Study(
    claims=("c-more-data", "b-lots", "b-hand"),
    claim="More images help, and they help more than a larger network does",
    setup="Three convolutions of 4 or of 16 channels (13 times the weights) learn from 50, 200 and 800 digits "
    "for as many steps.",
    arms={"4 channels": partial(trained, width=4), "16 channels": partial(trained, width=16)},
    figure=Lines("test accuracy", "training images", tuple(map(str, SIZES))),
    rule=lambda numbers: all_of(
        {
            "four times the images, 16 channels": inside(numbers, GAIN, "16 channels", low=0.0),
            "four times the images, 4 channels": inside(numbers, GAIN, "4 channels", low=0.0),
            "small network on 200 images, large on 50": beside(numbers),
        }
    ),
    planted={
        HOLDS: {
            "4 channels": {"test accuracy": [0.6, 0.85, 0.9], GAIN: 0.25},
            "16 channels": {"test accuracy": [0.7, 0.9, 0.95], GAIN: 0.2},
        },
        FAILS: {
            "4 channels": {"test accuracy": [0.7, 0.6, 0.6], GAIN: -0.1},
            "16 channels": {"test accuracy": [0.9, 0.8, 0.8], GAIN: -0.1},
        },
    },
    literature="Banko and Brill 2001, Scaling to very very large corpora for natural language disambiguation: more "
    "text beats better algorithms. Sun et al. 2017, arXiv:1707.02968: accuracy grows with the logarithm "
    "of the number of images, and larger networks gain more from it.",
    remark="Four times the images add 15 points to the large network and 21 to the small one. But they do not "
    "add more than a larger network does: with 50 images the large network is ahead of the small one with "
    "200, by twelve points. Four channels are few for ten classes, and the small network gets no better "
    "from 200 to 800 images; the large one still gains four points.",
    sources=(DIGITS,),
    seeds=6,
)
