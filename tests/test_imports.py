"""The house's rules, read from the syntax trees: who imports whom, and what no file does."""

import ast
import functools
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import striate
from striate.tasks import TASKS

SOURCE = Path(__file__).parents[1] / "src" / "striate"

# What each part of striate may import. Three readings of the design's table:
# - `errors`, `recipe`, `files` and `caches` are plain foundations: every part may import them, and they import only
#   `errors`;
# - what a part may import, it may also reach through: it may import whatever the parts named for it may import;
# - `report` may import `training`, whose run folder it reads.
# And one addition to it: `model` imports `device`, because a model knows where it runs.
# A part is a module or a package right under striate. One that has no row here fails the test, as does a row without
# one.
FOUNDATIONS = {"errors", "recipe", "files", "records", "caches"}
MAY_IMPORT = {
    "errors": set(),
    "recipe": {"errors", "files", "records"},
    "records": {"errors", "files"},
    "files": {"errors"},
    "caches": {"errors"},
    "arithmetic": set(),
    "tensors": set(),
    "processors": set(),
    "device": {"processors"},
    "layers": {"arithmetic"},
    "blocks": {"layers"},
    "nets": {"blocks", "layers"},
    "weights": {"nets", "tensors"},
    "graph": {"arithmetic", "device"},
    "inspect": {"graph", "nets", "model_file", "tensors"},
    "augment": {"arithmetic"},
    "data": {"augment"},
    "tasks": {"nets", "layers", "data"},
    "model_file": {"nets", "graph", "data"},
    "windows": {"augment", "data"},
    "model": {"model_file", "windows", "nets", "graph", "tasks", "data", "device", "tensors"},
    "console": {"files"},
    "ensemble": {"model"},
    "training": {"ensemble", "data", "tasks", "device", "model", "evaluation", "console"},
    "features": {"graph", "training"},
    "pretrained": {"model", "weights"},
    "plan": {"features", "pretrained"},
    "beginning": {"weights", "tasks", "data"},
    "transfer": {"beginning", "plan", "features", "pretrained", "training"},
    "evaluation": {"model", "data"},
    "members": {"ensemble", "transfer", "evaluation"},
    "api": {"members", "transfer", "training", "evaluation", "report"},
    "explain": {"arithmetic", "model", "data"},
    "machine": {"training", "inspect"},
    "report": {"evaluation", "explain", "training"},
    "studies": {"explain", "evaluation", "features", "inspect", "console", "pretrained"},
    "cli": {"ensemble", "api", "machine", "explain", "report", "studies", "inspect", "weights", "__init__"},
    "__main__": {"cli"},
    "__init__": {"api", "model", "nets", "tasks"},
}  # fmt: skip


@functools.cache
def allowed(part: str) -> frozenset[str]:
    """What a part may import, directly or by reaching through, and itself."""
    if part in FOUNDATIONS:
        return frozenset({part} | MAY_IMPORT[part])
    through = (allowed(other) for other in MAY_IMPORT[part] if part != "__main__")  # only `__main__` reaches `cli`
    return frozenset({part} | FOUNDATIONS | MAY_IMPORT[part]).union(*through)


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The part that a file belongs to."""
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and part of every import of striate, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = ["striate." + "." * node.level]  # no part has this name: relative imports are not used
        elif isinstance(node, ast.ImportFrom) and node.module == "striate":
            names = [f"striate.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "striate":
                first = rest.partition(".")[0] if not rest.startswith(".") else rest
                yield node.lineno, first if first in MAY_IMPORT or rest.startswith(".") else "__init__"


def test_every_part_has_a_row_and_every_row_a_part() -> None:
    assert {part_of(path) for path in files()} == MAY_IMPORT.keys()


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    wrong = [
        f"{path.relative_to(SOURCE)}:{line} imports {other}"
        for path in files()
        if part_of(path) == part
        for line, other in imported(ast.parse(path.read_text(encoding="utf-8")))
        if other not in allowed(part)
    ]
    assert wrong == []


def module_of(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_imported(tree: ast.AST, modules: Collection[str]) -> set[str]:
    """Those of the modules that a file imports, wherever in the file it does: at its top, in functions, for types."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (within & set(modules)) | ({str(node.module)} if within - set(modules) else set())
    return names & set(modules)


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Within rooms too, so that every file can be read after those that it imports."""
    files_of = {module_of(path): path for path in files()}
    graph = {
        name: modules_imported(ast.parse(path.read_text(encoding="utf-8")), files_of) - {name}
        for name, path in files_of.items()
    }
    assert circle(graph) == []


def circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Files of which each imports the next, and the last is the first; none where no file imports itself so."""
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    found = circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    assert found in (["b", "c", "b"], ["c", "b", "c"])


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import striate.data", {"striate.data"}),
        ("from striate.data import index", {"striate.data.index"}),
        ("from striate.data import Index, index", {"striate.data", "striate.data.index"}),
        ("def f():\n    from striate.data.index import Index", {"striate.data.index"}),
        ("if TYPE_CHECKING:\n    from striate.data.index import Index", {"striate.data.index"}),
        ("import numpy", set()),
    ],
)
def test_the_reading_of_modules(code: str, found: set[str]) -> None:
    assert modules_imported(ast.parse(code), {"striate.data", "striate.data.index"}) == found


def test_nobody_imports_cli_but_the_module_that_runs_it() -> None:
    assert [part for part in MAY_IMPORT if "cli" in allowed(part)] == ["cli", "__main__"]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import striate.data.index", ["data"]),
        ("from striate.data import Index", ["data"]),
        ("from striate import recipe as recipes", ["recipe"]),
        ("from striate import load", ["__init__"]),
        ("import striate", ["__init__"]),
        ("def f():\n    from striate.training import train", ["training"]),
        ("if TYPE_CHECKING:\n    import numpy, striate.cli.app", ["cli"]),
        ("from .data import Index", ["."]),
        ("import stripe, numpy\nfrom striated import x", []),
    ],
)
def test_the_reading_of_imports(code: str, found: list[str]) -> None:
    assert [part for _, part in imported(ast.parse(code))] == found


def test_all_lists_every_public_name_and_each_can_be_imported() -> None:
    assert striate.__all__ == sorted(striate.__all__)
    assert striate.HOMES.keys() == set(striate.__all__)
    for name in striate.__all__:
        value = getattr(striate, name)
        assert value.__name__ == name
        assert value.__doc__
        assert value is getattr(import_module(f"striate.{striate.HOMES[name]}"), name)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("striate.")
        for alias in node.names
    }
    assert seen == {name: f"striate.{home}" for name, home in striate.HOMES.items()}


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(AttributeError, match="module 'striate' has no attribute 'laod'"):
        striate.laod  # noqa: B018


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(SOURCE))) for path in files()])
def test_no_file_asserts_or_catches_everything(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: an assert, which `python -O` leaves out"
        if isinstance(node, ast.ExceptHandler):
            names = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {"all"}
            assert not names & {"all", "Exception", "BaseException"}, f"line {node.lineno}: catches everything"


def test_nothing_outside_tasks_knows_which_task_it_is() -> None:
    """Task classes are named in `tasks` alone, and only data, which has the property, asks for several labels."""
    wrong = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in files()
        if part_of(path) != "tasks"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in [getattr(node, "id", getattr(node, "attr", getattr(node, "name", "")))]
        if name in {kind.__name__ for kind in TASKS.values()} or (name == "several_labels" and part_of(path) != "data")
    ]
    assert wrong == []


def test_files_and_functions_are_short_enough_to_be_read_at_once() -> None:
    """No file has over 400 lines, and no function a body of over 50; signatures and docstrings do not count."""
    for path in files():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                assert (node.end_lineno or 0) - first.lineno < 50, f"{path}: {node.name}"
