"""Fields of a manifest that is right, for a file of some content."""

import hashlib
from typing import Any


def manifest_fields(content: bytes) -> dict[str, Any]:
    return {
        "name": "lenet5.mine",
        "file": "mine.safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "source": "here",
        "licence": "MIT",
        "layout": "striate",
        "preprocessing": {},
        "classes": ("a",),
    }
