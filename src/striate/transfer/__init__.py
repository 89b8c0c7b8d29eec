"""Transfer: the frozen part of a network is computed once, and what learns, learns from that."""

from striate.transfer.features import Features, MirroredView, drawn_views, extract
from striate.transfer.freeze import freeze, frozen_stages
from striate.transfer.heads import Fitted, fit
from striate.transfer.prefix import Cut, cut, head_of, vectors
from striate.transfer.probe import Backbone, Probed, backbone, install, probe

__all__ = [
    "Backbone",
    "Cut",
    "Features",
    "Fitted",
    "MirroredView",
    "Probed",
    "backbone",
    "cut",
    "drawn_views",
    "extract",
    "fit",
    "freeze",
    "frozen_stages",
    "head_of",
    "install",
    "probe",
    "vectors",
]
