"""Published weights: find them, verify them by sha256, convert foreign names and layouts, load them into a net.

Nothing here opens a connection but `fetch`. Pickles are read as tensors and plain values only: none of their code runs.
"""

from striate.weights.convert import (
    from_caffe,
    from_keras,
    renamed,
    rescaled_epsilon,
    strip_prefix,
    unfold_batch_norm,
)
from striate.weights.fetch import fetch
from striate.weights.fit import Fit, encoder_of, fit_to, identify, net_of, take
from striate.weights.folder import file_in
from striate.weights.layouts import LAYOUTS, Layout, layout_named
from striate.weights.load import load, load_into, tensors_for
from striate.weights.manifest import Manifest, published, read_manifests, unknown_name
from striate.weights.names import class_names, imagenet_classes, names_digest, wordnet_ids
from striate.weights.read import read_checkpoint, read_pickle, read_safetensors, read_tensors, within
from striate.weights.store import (
    digest,
    digest_with_parts,
    find,
    hint,
    is_here,
    named,
    read_pin,
    recognised,
    tensors_of,
    verify,
    weights_folder,
)

__all__ = [
    "LAYOUTS",
    "Fit",
    "Layout",
    "Manifest",
    "class_names",
    "digest",
    "digest_with_parts",
    "encoder_of",
    "fetch",
    "file_in",
    "find",
    "fit_to",
    "from_caffe",
    "from_keras",
    "hint",
    "identify",
    "imagenet_classes",
    "is_here",
    "layout_named",
    "load",
    "load_into",
    "named",
    "names_digest",
    "net_of",
    "published",
    "read_checkpoint",
    "read_manifests",
    "read_pickle",
    "read_pin",
    "read_safetensors",
    "read_tensors",
    "recognised",
    "renamed",
    "rescaled_epsilon",
    "strip_prefix",
    "take",
    "tensors_for",
    "tensors_of",
    "unfold_batch_norm",
    "unknown_name",
    "verify",
    "weights_folder",
    "within",
    "wordnet_ids",
]
