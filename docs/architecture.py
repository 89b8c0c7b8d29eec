"""Draws the house from the code: `python docs/architecture.py` writes docs/images/architecture.svg.

A room is a package or module right under `striate`. It stands on the floor above the highest of the rooms that it
imports, so imports lead down. A room names those that it is built on: what it imports, unless another of them leads
there too.
"""

import ast
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "striate"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

EVERYWHERE = {
    "errors",
    "files",
    "caches",
    "recipe",
}  # imported almost everywhere: naming them would say nothing
WIDTH, HEIGHT, GAP = 214, 92, 12  # of a room, and between rooms
LETTERS, LINES = 33, 3  # in a line of a room's text, and how many lines
STYLE = """
rect { fill: #f4f6f9; stroke: #b9c2ce; } text { font: 11px system-ui, sans-serif; fill: #47525f; }
.name { font-size: 14px; font-weight: 600; fill: #1c2430; } .on { fill: #2f6fb3; }
"""


@cache
def rooms() -> Mapping[str, str]:
    """Each room, by name, with the first paragraph of its docstring."""
    found = {}
    for path in sorted(SOURCE.iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix == ".py" and file.exists():
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            found[path.stem] = " ".join(text.split("\n\n")[0].replace("`", "").split())
    return found


@cache
def imports() -> Mapping[str, set[str]]:
    """The rooms that each room imports, wherever in its files."""
    found: dict[str, set[str]] = {name: set() for name in rooms()}
    for file in SOURCE.rglob("*.py"):
        room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        imported = set(_imported(ast.parse(file.read_text(encoding="utf-8"))))
        found[room] |= (imported & found.keys()) - {room}
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "striate":
                room = rest.partition(".")[0]
                yield room if room in rooms() else "__init__"


def floors(imported: Mapping[str, set[str]]) -> dict[str, int]:
    """The floor of each room, from 0 at the bottom."""

    @cache
    def floor(name: str) -> int:
        return max((floor(other) + 1 for other in imported[name]), default=0)

    return {name: floor(name) for name in imported}


def built_on(name: str, imported: Mapping[str, set[str]]) -> list[str]:
    """What a room imports, without what another of these rooms imports, at whatever remove."""

    @cache
    def below(room: str) -> frozenset[str]:
        return frozenset(imported[room]).union(*(below(other) for other in imported[room]))

    direct = imported[name]
    return sorted(room for room in direct - EVERYWHERE if not any(room in below(other) for other in direct))


def picture() -> str:
    """The house as SVG, the same for the same code."""
    texts, imported = rooms(), imports()
    floor_of = floors(imported)
    by_floor = [[name for name in texts if floor_of[name] == floor] for floor in range(max(floor_of.values()) + 1)]
    width = GAP + max(map(len, by_floor)) * (WIDTH + GAP)
    height = GAP + len(by_floor) * (HEIGHT + GAP)
    shapes: list[str] = []
    for number, names in enumerate(reversed(by_floor)):
        left = (width - len(names) * (WIDTH + GAP) + GAP) / 2
        for place, name in enumerate(names):
            corner = left + place * (WIDTH + GAP), GAP + number * (HEIGHT + GAP)
            shapes += _room(name, texts[name], built_on(name, imported), *corner)
    label = "The rooms of striate in floors: each imports only rooms on floors below its own."
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
    back = '<rect width="100%" height="100%" style="fill: #ffffff; stroke: none"/>'
    return "\n".join([start, f"<style>{STYLE}</style>", back, *shapes, "</svg>"]) + "\n"


def _room(name: str, text: str, on: list[str], x: float, y: float) -> Iterator[str]:
    yield f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>'
    yield f'<text class="name" x="{x + 8:g}" y="{y + 18:g}">{escape(name)}</text>'
    lines = textwrap.wrap(text, LETTERS, max_lines=LINES, placeholder=" …")
    for number, line in enumerate(lines):
        yield f'<text x="{x + 8:g}" y="{y + 35 + 14 * number:g}">{escape(line)}</text>'
    if on:
        yield f'<text class="on" x="{x + 8:g}" y="{y + HEIGHT - 9:g}">on {escape(", ".join(on))}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
