"""Changes valid files into ones that are nearly valid: bytes, values of JSON, words of text, and what a file is."""

import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

HOSTILE: list[Any] = [
    *(None, True, -1, 0, 1e308, -1e-308, 10**30, 2**31, 2**63, "", "0", "nan", [], {}, [[]], "a" * 5000, "\x1b[2J\n"),
    *("../canary.png", "/etc/passwd", "a\0b", "\ud800", "é" * 300, {"a": [1]}, [0, 0, 1e9, -5], "%s%n", "\u202e"),
]
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x8000000000000000)
WORD = re.compile(rb"[A-Za-z0-9_.#/-]+")


def spoil(path: Path, random: Random) -> None:
    """Changes a file in one of the ways that suit it, or puts something else in its place."""
    if random.random() < 0.04:
        _replace(path, random)
        return
    content = path.read_bytes()
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        content = random.choice(_ways(path))(content, random)
    path.write_bytes(content)


def _ways(path: Path) -> list[Callable[[bytes, Random], bytes]]:
    suffix = path.suffix.lower()
    if suffix in (".json", ".jsonl"):
        return [of_json, of_json, of_json, of_text, of_bytes]
    if suffix == ".safetensors":
        return [of_model, of_model, of_model, of_bytes]
    if suffix in (".csv", ".tsv", ".txt", ".xml", ".toml", ".yaml", ".yml", ".names", ".data"):
        return [of_text, of_text, of_text, of_bytes]
    return [of_bytes]


IMAGES = ("", ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def _replace(path: Path, random: Random) -> None:
    """Puts a folder, a pipe, a link or nothing in the place of a file."""
    path.unlink()
    match random.randrange(6):
        case 0:
            path.mkdir()
        case 1:
            os.mkfifo(path)
        case 2:
            path.symlink_to("/dev/zero")
        case 3:
            path.symlink_to(path.name)
        case 4 if path.parent.name != "in" and path.suffix.lower() not in IMAGES:
            # what the user names may be a link to anywhere, and so may images: people make class folders of links
            path.symlink_to("/etc/passwd")
        case _:
            pass


def of_bytes(content: bytes, random: Random) -> bytes:
    """Flips, cuts, doubles, inserts or overwrites bytes; more often near the beginning, where headers are."""
    data = bytearray(content or b"\0")
    place = int(len(data) * random.random() ** random.choice((1, 3)))
    length = min(random.choice((1, 2, 4, 16, 200)), len(data) - place)
    match random.randrange(7):
        case 0:
            data[place] ^= 1 << random.randrange(8)
        case 1:
            del data[place:]
        case 2:
            data[place:place] = data[place : place + length] * random.choice((1, 2, 100, 5000))
        case 3:
            data[place : place + length] = random.randbytes(length)
        case 4:
            number = random.choice(NUMBERS)
            packed = struct.pack(random.choice((">Q", "<Q")), number)
            data[place : place + 4] = packed[:4] if random.random() < 0.5 else packed[4:]
        case 5:
            del data[place : place + length]
        case _:
            data[place:place] = random.choice((bytes(1000), b"\xff" * 8, b"[" * 100_000, b"<a>" * 2000))
    return bytes(data)


def of_text(content: bytes, random: Random) -> bytes:
    """Replaces words by hostile ones, or repeats a line."""
    words = list(WORD.finditer(content))
    if not words or random.random() < 0.2:
        lines = content.split(b"\n")
        place = random.randrange(len(lines))
        lines[place:place] = [lines[place]] * random.choice((1, 2, 1000))
        return b"\n".join(lines)
    word = random.choice(words)
    value = random.choice([*HOSTILE, "9" * 5000, "1e999", "inf", "a.b" * 1000, '"' * 3, "<!ENTITY x>", ";" * 1000])
    text = value if isinstance(value, str) else json.dumps(value)
    return content[: word.start()] + text.encode("utf-8", "surrogatepass") + content[word.end() :]


def of_json(content: bytes, random: Random) -> bytes:
    """Replaces, removes, repeats or deepens a value somewhere in JSON."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return of_bytes(content, random)
    if random.random() < 0.03:
        return b"[" * 100_000 + content
    return json.dumps(changed(values, random)).encode()


def changed(values: Any, random: Random) -> Any:
    """The values with one of them, anywhere within, replaced, removed or repeated."""
    if isinstance(values, dict) and values and random.random() < 0.9:
        key = random.choice(list(values))
        if random.random() < 0.1:
            return {name: value for name, value in values.items() if name != key}
        if random.random() < 0.05:
            return {**values, str(random.choice(HOSTILE)): values[key]}
        return {**values, key: changed(values[key], random)}
    if isinstance(values, list) and values and random.random() < 0.9:
        place = random.randrange(len(values))
        if random.random() < 0.1:
            return values[:place] + [values[place]] * random.choice((0, 2, 2000)) + values[place + 1 :]
        return [*values[:place], changed(values[place], random), *values[place + 1 :]]
    return random.choice(HOSTILE)


def of_model(content: bytes, random: Random) -> bytes:
    """Changes the header of a safetensors file, and what a model file says of itself in it."""
    try:
        length = int.from_bytes(content[:8], "little")
        header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
        about = header.get("__metadata__", {}).get("striate")
        if about is not None and random.random() < 0.8:
            header["__metadata__"]["striate"] = json.dumps(changed(json.loads(about), random))
        else:
            header = changed(header, random)
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return of_bytes(content, random)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest
