"""The claims of the course notes, one by one: which study tests each, which page tells of it, or why there is none."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from striate.files import read_text

FILE = Path(__file__).parent / "claims.toml"
NOTES = {  # as they begin
    "000": "Notes on DLS Coursera, IV",
    "001": "Convolutional Neural Networks, coursera note",
    "002": "Convolutional Neural Networks, Week 2",
    "003": "DLS: CNN Case Studies",
    "004": "Advanced Machine Learning, Introduction to Deep Learning, Week 3",
}


@dataclass(frozen=True)
class Claim:
    """A sentence of the notes, and where the project answers it if no study does."""

    id: str
    note: str
    """A key of `NOTES`."""

    section: str
    sentence: str
    page: str = ""
    """A page of the docs that tells of it, without `.md`; with `why`, nothing but that page is needed."""

    why: str = ""
    """Why there is neither a study nor a page, or what the page has instead."""


@cache
def claims() -> dict[str, Claim]:
    """Every claim, by id, in the order of the notes."""
    return {entry["id"]: Claim(**entry) for entry in tomllib.loads(read_text(FILE))["claim"]}
