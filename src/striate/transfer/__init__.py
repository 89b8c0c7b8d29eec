"""Transfer: the frozen part of a network is computed once, and what learns, learns from that."""

from striate.graph.parts import Cut, cut, head_of, vectors
from striate.transfer.backbone import Backbone, backbone
from striate.transfer.features import Features, MirroredView, drawn_views, extract
from striate.transfer.freeze import freeze, frozen_stages, keep_statistics
from striate.transfer.heads import Fitted, fit
from striate.transfer.plan import Plan, recommend
from striate.transfer.probe import Probed, install, probe

__all__ = [
    "Backbone",
    "Cut",
    "Features",
    "Fitted",
    "MirroredView",
    "Plan",
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
    "keep_statistics",
    "probe",
    "recommend",
    "vectors",
]
