"""The ranges that several fields share; a field's own stands where it is defined."""

from typing import Annotated

from msgspec import Meta

MOST = 1_000_000  # of what has no natural end
MOST_CHANNELS = 512  # of an image
MAX_PIXELS = 89_478_485  # of an image's file, unless told otherwise: where Pillow begins to warn
MOST_FILE_PIXELS = 1_000_000_000  # to which that can be raised; as RGB they are 3 GB

Count = Annotated[int, Meta(ge=1, le=MOST)]
Amount = Annotated[float, Meta(ge=0, le=MOST)]
Positive = Annotated[float, Meta(gt=0, le=MOST)]
Share = Annotated[float, Meta(ge=0, le=1)]
ShareAboveZero = Annotated[float, Meta(gt=0, le=1)]
ShareBelowOne = Annotated[float, Meta(ge=0, lt=1)]
Mean = Annotated[tuple[Annotated[float, Meta(ge=-MOST, le=MOST)], ...], Meta(min_length=1, max_length=MOST_CHANNELS)]
Std = Annotated[tuple[Annotated[float, Meta(ge=1e-6, le=MOST)], ...], Meta(min_length=1, max_length=MOST_CHANNELS)]
Channels = Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]
PixelValue = Annotated[float, Meta(ge=-1e30, le=1e30)]
PixelRange = tuple[PixelValue, PixelValue]
