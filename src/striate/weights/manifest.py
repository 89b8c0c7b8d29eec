"""Manifests: what is known of each file of published weights, as data."""

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from striate.errors import UsageError, nearest
from striate.files import fit_to_print, list_names, read_text
from striate.nets import CATALOGUE
from striate.records import convert, parse_toml
from striate.weights.layouts import layout_named
from striate.weights.names import names_of

WHOLE = 64  # hexadecimal digits of a sha256
DIGITS = re.compile(r"(?:[0-9a-f]{8,64})?")
MD5 = re.compile(r"(?:[0-9a-f]{32})?")
NAME = re.compile(r"(?:timm/)?[a-z0-9_]+\.[a-z0-9_.]+")
LOCAL = ("localhost", "127.0.0.1", "::1")
MOST_BYTES = 1 << 24  # of a file of manifests
MOST_UNKNOWN = 10**9  # of a file of weights whose size is not published
Bytes = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Text = Annotated[str, msgspec.Meta(max_length=1000)]
OURS = ("embedded", "torchvision", "timm", "keras", "cifar", "others")  # files; of a net's weights the first come first


class Hub(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file on the Hugging Face hub."""

    repo: str
    """As `owner/name`."""

    revision: str
    """A commit, so that the file stays the same."""

    file: str
    """Its path in the repository."""

    @property
    def url(self) -> str:
        """Its address, at HF_ENDPOINT where the environment names a mirror."""
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
        return f"{endpoint}/{quote(self.repo)}/resolve/{quote(self.revision)}/{quote(self.file)}"


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that an installed Python package holds."""

    name: str
    """Of the distribution, as pip knows it."""

    file: str
    """Its path below the folder of installed packages."""


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score, and what it was measured on."""

    top1: float
    on: str
    top5: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of weights, named `arch.tag`: the net of the catalogue, and which of its weights."""

    name: Text

    file: Text
    """Its published name, without a folder."""

    sha256: str = ""
    """Of the file: all 64 digits, or the first 8 or more where no more are published, or none."""

    md5: str = ""
    """Of the file, 32 hexadecimal digits, where that is what is published in place of a sha256."""

    size: Bytes = 0
    """In bytes; 0 where it is not published."""

    size_within: Bytes = 0
    """By how many bytes the size may be wrong, where it was published rounded."""

    source: str
    """Where it is from, in words."""

    sources: dict[str, str] = {}
    """Who says it, by the names of these fields: address, sha256, md5, size, licence, preprocessing, accuracy."""

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

    classes: tuple[Text, ...] = ()
    """Their names, by number of the logit; empty where `classes_sha256` stands for them."""

    classes_sha256: str = ""
    """`names_digest` of names that striate comes with, or that the user has in a file; neither where none are known."""

    classes_from: str = ""
    """What that file is, in words."""

    url: str = ""
    """Address of the file, where it has one."""

    hub: Hub | None = None
    """Its place on the Hugging Face hub, where it has one."""

    package: Package | None = None
    """The Python package that brings it, where one does."""

    def __post_init__(self) -> None:
        for field, value, good, what in (
            ("name", self.name, NAME.fullmatch(self.name), "`arch.tag` in lower case"),
            ("sha256", self.sha256, DIGITS.fullmatch(self.sha256), "64 hexadecimal digits in lower case, or the first"),
            ("md5", self.md5, MD5.fullmatch(self.md5), "32 hexadecimal digits in lower case"),
            ("file", self.file, _is_plain(self.file), "the name of a file, without a folder"),
            ("url", self.url, re.match(r"https?://|$", self.url), "an address that starts with https:// or http://"),
            (
                "url",
                self.url,
                self._is_trusted(),
                "an address that starts with https://, since no whole sha256 is known",
            ),
            ("classes_sha256", self.classes_sha256, not (self.classes_sha256 and self.classes), "it or `classes`"),
        ):
            if not good:
                name = fit_to_print(self.name, 80)
                raise UsageError(f"{name}: `{field}`: expected {what}; got {fit_to_print(repr(value), 120)}.")
        layout_named(self.layout)

    def _is_trusted(self) -> bool:
        """Whether what comes from the address cannot be replaced on its way without being noticed."""
        address = urlsplit(self.address)
        return len(self.sha256) == WHOLE or address.scheme != "http" or address.hostname in LOCAL

    @property
    def arch(self) -> str:
        """The name of the net in the catalogue."""
        return self.name.partition(".")[0]

    @property
    def address(self) -> str:
        """Where the file can be had; "" where that is not known."""
        return self.url or (self.hub.url if self.hub else "")

    @property
    def most_bytes(self) -> int:
        """No more than so many are taken from its address."""
        return self.size + self.size_within if self.size else MOST_UNKNOWN

    @property
    def kept(self) -> str:
        """The name of the file that is kept of it: safetensors, whatever was published."""
        return self.file if self.file.endswith(".safetensors") else f"{Path(self.file).stem}.safetensors"

    @property
    def digest(self) -> Literal["whole", "prefix", "md5", "none"]:
        """How much of its sha256 is published, or that its md5 is in its place."""
        if not self.sha256:
            return "md5" if self.md5 else "none"
        return "whole" if len(self.sha256) == WHOLE else "prefix"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by the number of the logit; none where only the user has them."""
        return self.classes or names_of(self.classes_sha256)


def _is_plain(file: str) -> bool:
    return Path(file).name == file and file not in ("", ".", "..") and "\\" not in file and ":" not in file


def read_manifests(path: Path) -> dict[str, Manifest]:
    """The manifests of a TOML file, by name.

    Each `[[weights]]` table has the fields of `Manifest` as keys. A table `[common]` has keys that all of them share;
    what a table says itself goes before, and `sources` are joined.

    Raises:
        UsageError: the file is not there, not TOML, has an unknown, missing or wrong key, or a name twice.
    """
    try:
        content = parse_toml(read_text(path, most=MOST_BYTES))
        manifests = [convert(table, Manifest) for table in _tables(content)]
    except (OSError, ValueError) as error:  # those of TOML and UTF-8 are ValueErrors
        raise UsageError(f"{path}: expected manifests of weights; {fit_to_print(str(error), 300)}.") from error
    named = {manifest.name: manifest for manifest in manifests}
    if len(named) != len(manifests):
        raise UsageError(f"{path}: expected each name once; got {list_names(m.name for m in manifests)}.")
    return named


def _tables(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Each `[[weights]]` table with what is common to all."""
    common, tables = content.pop("common", {}), content.pop("weights", None)
    if content:
        raise ValueError(f"it contains `{next(iter(content))}`, which is neither `weights` nor `common`")
    if not isinstance(common, dict) or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise ValueError("`weights` should be an array of tables, and `common` a table")
    sources = [table.get("sources", {}) for table in (common, *tables)]
    if not all(isinstance(each, dict) for each in sources):
        raise ValueError("`sources` should be a table")
    return [
        {**common, **table, "sources": {**sources[0], **own}} for table, own in zip(tables, sources[1:], strict=True)
    ]


@cache
def _ours() -> dict[str, Manifest]:
    ours: dict[str, Manifest] = {}
    for name in OURS:
        ours |= read_manifests(Path(__file__).parent / "manifests" / f"{name}.toml")
    return ours


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
        raise UsageError(f"{more}: expected names that striate does not have; got {list_names(again)}.")
    return {**_ours(), **theirs}


def unknown_name(name: str, manifests: Mapping[str, Manifest]) -> str:
    """The end of an error's sentence about a name that no manifest has."""
    if name in CATALOGUE:
        return f"No published weights of {name} are known."
    known = {*manifests, *(manifest.arch for manifest in manifests.values())}
    return nearest(fit_to_print(name, 80), known)
