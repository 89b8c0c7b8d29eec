"""Published weights: find them, verify them by sha256, convert foreign names and layouts, load them into a net.

Nothing here opens a connection but `fetch`, and nothing reads a pickle but `read_pickle`.
"""

from striate.weights.convert import (
    from_caffe,
    from_keras,
    renamed,
    rescaled_epsilon,
    strip_prefix,
    unfold_batch_norm,
)
from striate.weights.layouts import LAYOUTS, Layout, layout_named
from striate.weights.load import load, load_into, tensors_for
from striate.weights.manifest import Manifest, published, read_manifests
from striate.weights.names import class_names, names_digest
from striate.weights.read import read_pickle, read_safetensors
from striate.weights.store import digest, fetch, find, recognised, verify, weights_folder

__all__ = [
    "LAYOUTS",
    "Layout",
    "Manifest",
    "class_names",
    "digest",
    "fetch",
    "find",
    "from_caffe",
    "from_keras",
    "layout_named",
    "load",
    "load_into",
    "names_digest",
    "published",
    "read_manifests",
    "read_pickle",
    "read_safetensors",
    "recognised",
    "renamed",
    "rescaled_epsilon",
    "strip_prefix",
    "tensors_for",
    "unfold_batch_norm",
    "verify",
    "weights_folder",
]
