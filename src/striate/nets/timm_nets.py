"""Any model of timm (Wightman, PyTorch Image Models), with the attributes of a net of ours.

timm is an extra, and nothing here imports it before a net is made. Parameter names are timm's with `model.` before
them, because timm's own attributes, such as `features`, could not stand beside ours.
"""

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import UsageError, nearest
from striate.files import fit_to_print

PREFIX = "timm/"


class TimmNet(nn.Module):
    """A timm model by its name, without pretrained weights.

    `stages` are timm's children from input to output, its classifier apart; `features` are timm's intermediate maps,
    which in a transformer all have one resolution.

    Args:
        name: as timm has it, without a tag of weights.

    Raises:
        UsageError: timm cannot be imported, or has no such model.
    """

    def __init__(self, name: str, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        try:
            timm: Any = importlib.import_module("timm")
        except (ImportError, RuntimeError) as error:  # the latter where torchvision is of another torch
            reason = fit_to_print(str(error), 80)
            raise UsageError(
                f"{PREFIX}{name}: expected timm to be installed; it cannot be imported here ({reason}). "
                "Try `pip install 'striate[hub]'`."
            ) from error
        if not timm.is_model(name):
            raise UsageError(f"{PREFIX}{name}: expected the name of a timm model. {nearest(name, timm.list_models())}")
        with torch.device("cpu"):  # some of timm's constructors look at values, which the meta device has not
            self.model = timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels)
        about = self.model.pretrained_cfg
        named = about.get("classifier") or ()
        heads = (named,) if isinstance(named, str) else tuple(named)
        self.head, *others = (f"model.{head}" for head in heads) if heads else ("",)
        self.other_heads = tuple(others)
        outside = {head.partition(".")[0] for head in heads}
        self.stages = tuple(
            f"model.{child}"
            for child, module in self.model.named_children()
            if child not in outside and any(True for _ in module.parameters())
        )
        self.explained_layer = f"model.{self.model.feature_info[-1]['module']}"
        self.image_size = int(about["input_size"][1])

    def features(self, images: Tensor) -> list[Tensor]:
        """timm's intermediate maps (N, C, H, W), first to last."""
        maps: list[Tensor] = self.model.forward_intermediates(images, intermediates_only=True)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, H, W)."""
        logits: Tensor = self.model(images)
        return logits
