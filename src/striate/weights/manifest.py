"""Manifests: what is known of each file of published weights, as data."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from striate.errors import UsageError
from striate.weights.layouts import layout_named

SHA256 = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_.]+")


class Hub(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file on the Hugging Face hub."""

    repo: str
    """As `owner/name`."""

    revision: str
    """A commit, so that the file stays the same."""

    file: str
    """Its path in the repository."""


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score, and of what."""

    top1: float
    on: str
    top5: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of weights, named `arch.tag`: the net of the catalogue, and which of its weights."""

    name: str

    file: str
    """Its name, without a folder."""

    sha256: str
    """Of the file, which is never read otherwise."""

    size: int
    """In bytes."""

    source: str
    """Where it is from, in words."""

    licence: str
    """As an SPDX name; "none stated" where the source states none."""

    layout: str
    """How it names and lays out its tensors: a key of `LAYOUTS`."""

    preprocessing: dict[str, Any]
    """The keys of timm's `pretrained_cfg`: input_size, mean, std, crop_pct, crop_mode, interpolation."""

    accuracy: Accuracy | None = None
    """As published, or as measured with the file."""

    arguments: dict[str, Any] = {}
    """Of the net, besides the number of classes and channels."""

    classes: tuple[str, ...] = ()
    """Their names, by number of the logit; empty where `classes_sha256` stands for them."""

    classes_sha256: str = ""
    """`names_digest` of names that the user has in a file."""

    classes_from: str = ""
    """What that file is, in words."""

    url: str = ""
    """Address of the file, where it has one."""

    hub: Hub | None = None
    """Its place on the Hugging Face hub, where it has one."""

    def __post_init__(self) -> None:
        for field, value, good, what in (
            ("name", self.name, NAME.fullmatch(self.name), "`arch.tag` in lower case"),
            ("sha256", self.sha256, SHA256.fullmatch(self.sha256), "64 hexadecimal digits in lower case"),
            ("file", self.file, _is_plain(self.file), "the name of a file, without a folder"),
            ("url", self.url, re.match(r"https?://|$", self.url), "an address that starts with https:// or http://"),
            ("classes_sha256", self.classes_sha256, bool(self.classes_sha256) != bool(self.classes), "it or `classes`"),
        ):
            if not good:
                raise UsageError(f"{self.name}: `{field}`: expected {what}; got {value!r}.")
        layout_named(self.layout)

    @property
    def arch(self) -> str:
        """The name of the net in the catalogue."""
        return self.name.partition(".")[0]


def _is_plain(file: str) -> bool:
    return Path(file).name == file and file not in ("", ".", "..") and "\\" not in file and ":" not in file


class _File(msgspec.Struct, forbid_unknown_fields=True):
    weights: list[Manifest]


def read_manifests(path: Path) -> dict[str, Manifest]:
    """The manifests of a TOML file, by name: a `[[weights]]` table each, with the fields of `Manifest` as keys.

    Raises:
        UsageError: the file is not there, not TOML, has an unknown, missing or wrong key, or a name twice.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        manifests = msgspec.convert(content, _File).weights
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path}: expected manifests of weights; {error}.") from error
    named = {manifest.name: manifest for manifest in manifests}
    if len(named) != len(manifests):
        raise UsageError(f"{path}: expected each name once; got {', '.join(m.name for m in manifests)}.")
    return named


@cache
def _ours() -> dict[str, Manifest]:
    return read_manifests(Path(__file__).with_name("manifests.toml"))


def published(more: Path | None = None) -> Mapping[str, Manifest]:
    """Every manifest that striate comes with, by name.

    Args:
        more: a TOML file with others.

    Raises:
        UsageError: that file is not one of manifests, or has a name of ours.
    """
    theirs = read_manifests(more) if more else {}
    again = sorted(theirs.keys() & _ours().keys())
    if again:
        raise UsageError(f"{more}: expected names that striate does not have; got {', '.join(again)}.")
    return {**_ours(), **theirs}
