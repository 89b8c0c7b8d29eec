"""Dropout against overfitting, in a dense layer that has too many weights for the images."""

from functools import partial

from torch import nn

from striate.studies.images import DIGITS, PHOTOS, Source
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside

SHARES = (0.0, 0.25, 0.5, 0.75)


GAIN, LESS = "accuracy with half dropped, less with none", "overfitting with none dropped, less with half"


def trained(trial: Trial, source: Source, count: int, epochs: int) -> Measures:
    images, tests, gaps = trial.data[source].draw(count, trial.seed), [], []
    pixels = images.train[0].numel()
    for share in SHARES:
        net = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 128), nn.ReLU(), nn.Dropout(share), nn.Linear(128, 10))
        learn(net, images, recipe(trial, epochs, lr=0.05 if source is DIGITS else 0.01, batch_size=25))
        tests.append(accuracy(net, images.test, images.test_labels))
        gaps.append(accuracy(net, images.train, images.train_labels) - tests[-1])
    return {
        "test accuracy": tests,
        GAIN: tests[2] - tests[0],
        LESS: gaps[0] - gaps[2],
    }


ARMS = {
    "60 digits": partial(trained, source=DIGITS, count=60, epochs=25),
    "600 digits": partial(trained, source=DIGITS, count=600, epochs=10),
    "1,000 photos": partial(trained, source=PHOTOS, count=1000, epochs=25),
}


STUDY = Study(
    claims=("e-dropout",),
    claim="Dropout makes a network overfit less",
    setup="128 hidden units learn from 60 or from 600 digits, or from 1,000 colour photos of 16x16 pixels, with "
    "none, a quarter, a half or three quarters of them dropped in each step. Overfitting is the accuracy on "
    "training images less that on test images.",
    arms=ARMS,
    figure=Lines("test accuracy", "share dropped", tuple(map(str, SHARES))),
    rule=lambda numbers: all_of(
        {f"{arm}, {measure}": inside(numbers, measure, arm, low=0.0) for arm in ARMS for measure in (GAIN, LESS)}
    ),
    planted={
        HOLDS: {arm: {GAIN: 0.03, LESS: 0.05} for arm in ARMS},
        FAILS: {arm: {GAIN: -0.02, LESS: -0.01} for arm in ARMS},
    },
    literature="Srivastava et al. 2014, Dropout: A simple way to prevent neural networks from overfitting: it helped "
    "on every one of their data sets, but not where there were only 100 or 500 images. Hinton et al. 2012, "
    "arXiv:1207.0580.",
    remark="On 600 digits and on 1,000 photos dropping half of the units makes the gap between training and test "
    "images smaller and test accuracy higher, on photos by nine points of gap and one of accuracy: most of "
    "what dropout does here is to keep the network from learning its images by heart. On 60 digits both "
    "networks answer every training image right, so what dropout takes from the fit it would have to give "
    "back in test accuracy, and it does not; Srivastava et al. too found it of no use for very few images.",
    sources=(DIGITS, PHOTOS),
    seeds=10,
)
