"""The model card: metadata that the Hub reads, and text that stays text."""

import math
from pathlib import Path
from typing import Any

import pytest

from striate.data.index_file import load_index
from striate.evaluation import evaluate
from striate.model import load
from striate.report.build import Report, report
from striate.report.card import card, plain
from striate.training import RunFolder


@pytest.fixture(scope="module")
def found(finished: RunFolder) -> Report:
    index = load_index(finished.index)
    return report(evaluate(load(finished.model), index, workers=1), finished.model, finished, 1)


def metadata(text: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the metadata; it is not installed")
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def test_the_metadata_are_those_of_the_record(found: Report) -> None:
    head = metadata(card(found))
    [model] = head["model-index"]
    [result] = model["results"]
    assert head["library_name"] == "striate"
    assert head["pipeline_tag"] == result["task"]["type"] == "image-classification"
    assert result["dataset"] == {"name": "two", "type": "two", "split": found.evaluation.split}
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["accuracy"] == found.evaluation.metrics["accuracy"].value
    assert all(math.isfinite(value) for value in values.values())


def test_the_card_holds_the_verdict_and_the_tables(found: Report) -> None:
    text = card(found)
    assert plain(found.verdict.headline) in text
    assert "| dark |" in text
    assert 'striate.load("model.safetensors")' in text


def test_names_from_outside_neither_leave_their_line_nor_their_cell() -> None:
    assert plain("a|b") == r"a\|b"
    assert plain("<script>") == r"\<script\>"
    assert plain("[x](y)") == r"\[x\]\(y\)"


def test_the_card_lies_in_the_run_folder_by_the_name_that_the_hub_wants(finished: RunFolder) -> None:
    assert finished.card == Path(finished.path) / "README.md"
