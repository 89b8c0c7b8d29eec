"""Data: from pictures on disk to batches of pixels."""

from striate.data.check import Finding, check, require_few_bad, write_findings
from striate.data.decode import Picture, Source, UnreadableError, open_picture
from striate.data.index import Index, Rows, build
from striate.data.loader import Batch, Loader, batches, epoch_order, training_view
from striate.data.pictures import GivenPictures, IndexedPictures, Pictures
from striate.data.preprocessing import MEAN_STD, Preprocessing
from striate.data.readers import read
from striate.data.split import require_trainable, split

__all__ = [
    "MEAN_STD",
    "Batch",
    "Finding",
    "GivenPictures",
    "Index",
    "IndexedPictures",
    "Loader",
    "Picture",
    "Pictures",
    "Preprocessing",
    "Rows",
    "Source",
    "UnreadableError",
    "batches",
    "build",
    "check",
    "epoch_order",
    "open_picture",
    "read",
    "require_few_bad",
    "require_trainable",
    "split",
    "training_view",
    "write_findings",
]
