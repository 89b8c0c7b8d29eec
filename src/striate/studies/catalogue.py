"""The studies, found by their files: GROUP/NAME.py makes `STUDY`."""

import importlib
import pkgutil
from dataclasses import replace
from functools import cache
from pathlib import Path

from striate.errors import UsageError, nearest
from striate.studies.study import Study

GROUPS = ("arithmetic", "architecture", "training", "data", "transfer", "practice")
HOME = Path(__file__).parent


@cache
def modules() -> dict[str, str]:
    """The module of each study, by name, group after group."""
    return {
        found.name.replace("_", "-"): f"striate.studies.{group}.{found.name}"
        for group in GROUPS
        for found in pkgutil.iter_modules([str(HOME / group)])
    }


def names() -> list[str]:
    """The names of all studies, group after group."""
    return list(modules())


def path_of(name: str) -> Path:
    """The file of a study."""
    group, module = modules()[name].split(".")[-2:]
    return HOME / group / f"{module}.py"


@cache
def study_named(name: str) -> Study:
    """The study of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in modules():
        raise UsageError(f"`study`: expected the name of one; got `{name}`. {nearest(name, names())}")
    study: Study = importlib.import_module(modules()[name]).STUDY
    return replace(study, name=name, group=path_of(name).parent.name)
