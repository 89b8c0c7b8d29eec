"""Weights of timm by their name there: a manifest is made of what timm itself knows of them."""

import importlib
from typing import Any

from striate.errors import UsageError, nearest
from striate.files import fit_to_print
from striate.weights.manifest import Hub, Manifest
from striate.weights.names import IMAGENET_SHA256

TIMM = "timm/"
SAFETENSORS = "model.safetensors"  # of each of timm's repositories on the hub
IN1K = 1000  # classes of ImageNet, in the order of their WordNet ids


def timm_manifest(name: str) -> Manifest:
    """The manifest of weights that timm publishes.

    Args:
        name: timm/NAME or timm/NAME.TAG; the first of its weights where there is no tag.

    Raises:
        UsageError: timm cannot be imported, or publishes no such weights on the Hugging Face hub.
    """
    asked, shown = name.removeprefix(TIMM), fit_to_print(name, 80)
    try:
        timm: Any = importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:  # the latter where torchvision is of another torch
        raise UsageError(
            f"{shown}: expected timm to be installed; it cannot be imported here ({fit_to_print(str(error), 80)}). "
            "Try `pip install 'striate[hub]'`."
        ) from error
    if not timm.is_model(asked):
        hint = nearest(asked, timm.list_pretrained())
        raise UsageError(f"{shown}: expected the name of a timm model, or of its weights. {hint}")
    try:
        about = timm.models.get_pretrained_cfg(asked)
    except RuntimeError as error:
        hint = nearest(asked, timm.list_pretrained(f"{asked.partition('.')[0]}.*"))
        raise UsageError(
            f"{shown}: expected weights that timm publishes; {fit_to_print(str(error), 120)} {hint}"
        ) from error
    if about is None or not about.hf_hub_id:
        raise UsageError(f"{shown}: expected a model with weights on the Hugging Face hub; timm knows of none.")
    values = about.to_dict()
    whole = f"{about.architecture}.{about.tag or 'default'}"
    return Manifest(
        name=f"{TIMM}{whole}",
        file=f"timm-{whole}.safetensors",
        hub=Hub(repo=values["hf_hub_id"], revision="main", file=SAFETENSORS),
        source="timm, on the Hugging Face hub",
        sources={"address": "timm", "licence": "timm", "preprocessing": "timm"},
        licence=about.license or "none stated",
        layout="timm",
        arguments={},
        preprocessing={
            "input_size": list(about.input_size),
            "mean": list(about.mean),
            "std": list(about.std),
            "crop_pct": about.crop_pct,
            "crop_mode": about.crop_mode,
            "interpolation": about.interpolation,
        },
        classes_sha256=IMAGENET_SHA256 if about.num_classes == IN1K else "",
    )
