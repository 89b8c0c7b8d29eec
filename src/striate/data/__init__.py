"""Data: from images on disk to batches of pixels."""

from striate.data.check import Check, Finding, Severity, check, cleaned, examine, require_few_bad, write_findings
from striate.data.decode import OpenedImage, Source, UnreadableError, open_image
from striate.data.images import GivenImages, Images, IndexedImages
from striate.data.index import Index, Rows, build
from striate.data.loader import Annotations, Batch, Batches, Loader, advice
from striate.data.masks import load_mask
from striate.data.preprocessing import CROP_PCT, MEAN_STD, Preprocessing, mean_and_std
from striate.data.readers import READ_AS, read, read_with
from striate.data.sampler import Order, batches, weighted_rows
from striate.data.split import require_trainable, split
from striate.data.tables import index_of
from striate.data.views import View, training_view

__all__ = [
    "CROP_PCT",
    "MEAN_STD",
    "READ_AS",
    "Annotations",
    "Batch",
    "Batches",
    "Check",
    "Finding",
    "GivenImages",
    "Images",
    "Index",
    "IndexedImages",
    "Loader",
    "OpenedImage",
    "Order",
    "Preprocessing",
    "Rows",
    "Severity",
    "Source",
    "UnreadableError",
    "View",
    "advice",
    "batches",
    "build",
    "check",
    "cleaned",
    "examine",
    "index_of",
    "load_mask",
    "mean_and_std",
    "open_image",
    "read",
    "read_with",
    "require_few_bad",
    "require_trainable",
    "split",
    "training_view",
    "weighted_rows",
    "write_findings",
]
