"""What the frozen stages of a network give for images: computed once, stored, learnt from, and fitted to."""

from striate.features.cached import CachedFeatures, cached_features
from striate.features.extraction import Features, MirroredView, drawn_views, extract
from striate.features.fit_head import cross_validated, install, probe
from striate.features.heads import Fitted, fit

__all__ = [
    "CachedFeatures",
    "Features",
    "Fitted",
    "MirroredView",
    "cached_features",
    "cross_validated",
    "drawn_views",
    "extract",
    "fit",
    "install",
    "probe",
]
