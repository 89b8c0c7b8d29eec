"""Pages that need nothing else: one environment for all templates, and what is done to text and images in them."""

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from striate.files import fit_to_print

QUALITY = 75  # of a small image's JPEG
PATH_SHOWN = 120  # letters of a path, its end


def render(template: str, **values: Any) -> str:
    """A page of a template beside this file; every text in it is escaped, but what is marked as safe.

    Args:
        template: its file's name.
        values: what it shows; a value that it asks for and lacks is an error.
    """
    here = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=here, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    return environment.get_template(template).render(values)


def _shown(value: Any) -> Any:
    """A value of a page: text from outside can neither hide its letters nor turn their order, as on a terminal."""
    return fit_to_print(value, 10 * len(value) + 40) if type(value) is str else value  # what is safe has another type


def address(image: Image.Image) -> str:
    """An RGB image as a `data:` address that an `img` can show."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def tail(path: str) -> str:
    """The end of a long path, fit to print.

    >>> tail("a/b.jpg")
    'a/b.jpg'
    """
    shown = fit_to_print(path[-PATH_SHOWN:])
    return shown if len(path) <= PATH_SHOWN else f"…{shown[-PATH_SHOWN:]}"
