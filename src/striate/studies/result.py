"""The results of a study: numbers with how they were made, as JSON."""

import ast
import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from striate.errors import StriateError
from striate.files import json_text, read_text, write_whole
from striate.studies.catalogue import path_of
from striate.studies.numbers import Numbers

PUBLISHED = Path(__file__).parent / "results"
WORDS = {"claims", "claim", "setup", "figure", "rule", "planted", "literature", "remark"}  # of a Study, not of its run
SHARED = ("images.py", "learn.py", "small.py")  # what the numbers depend on too
DIGITS = 9  # that are kept of a number


@dataclass(frozen=True)
class Result:
    """What a run of a study found; the verdict is not kept, because the rule gives it anew."""

    study: str
    digest: str
    """Of the code that made the numbers."""

    seeds: list[int]
    scale: float
    """How long each training was beside the short form's."""

    seconds: float
    """Of processor time, which others on the machine do not lengthen."""

    machine: str
    numbers: Numbers

    @property
    def whole(self) -> bool:
        """Whether no arm was left out."""
        return self.numbers.ran(*self.numbers.values)

    def write(self, folder: Path) -> None:
        """Writes NAME.json into a folder that exists."""
        plain = asdict(self) | {"numbers": self.numbers.values}
        text = json_text(plain, indent=1) + "\n"
        write_whole(folder / f"{self.study}.json", lambda aside: aside.write_text(text, encoding="utf-8"))


def read(path: Path) -> Result:
    """The result of a file.

    Raises:
        StriateError: if it holds none.
    """
    try:
        plain: dict[str, Any] = json.loads(read_text(path))
        return Result(**(plain | {"numbers": Numbers(_floats(plain["numbers"]))}))
    except (ValueError, KeyError, TypeError) as error:
        raise StriateError(f"{path}: expected the result of a study; got {error}. Try to run it again.") from error


def _floats(value: Any) -> Any:
    """With NaN again for what was not finite, which JSON lacks."""
    if isinstance(value, dict):
        return {key: _floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_floats(inner) for inner in value]
    return float("nan") if value is None else value


def published(name: str) -> Result | None:
    """The result that comes with striate, or None."""
    path = PUBLISHED / f"{name}.json"
    return read(path) if path.exists() else None


def rounded(value: Any) -> Any:
    """A number, or a series, with the digits that are kept."""
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}")


def digest(name: str) -> str:
    """Of the code that a study's numbers depend on: its arms and the shared training, without words and the rule."""
    texts = [_code(path) for path in (path_of(name), *(Path(__file__).parent / shared for shared in SHARED))]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _code(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Study":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in WORDS]
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef) or node.name not in WORDS]
    return ast.unparse(tree)


def machine() -> str:
    """What the numbers were made on, without its name."""
    import torch

    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''} of {platform.machine()}, PyTorch {torch.__version__}"
