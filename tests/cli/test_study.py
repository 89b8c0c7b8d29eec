"""striate study: the list, one study with its files, and all of them with those skipped that are there."""

import json
from pathlib import Path

import pytest

from striate.cli.app import main
from striate.cli.study import _print_table
from striate.console import Page
from striate.studies import catalogue, names, published


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["study", *arguments])
    return int(ended.value.code or 0)


def test_the_list_has_every_study_with_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 0
    text = capsys.readouterr().out
    assert all(name in text for name in names() if published(name))
    assert "✔ holds" in text


@pytest.mark.parametrize(("width", "decides"), [(80, False), (140, True)])
def test_the_list_fits_its_terminal(width: int, decides: bool, capsys: pytest.CaptureFixture[str]) -> None:
    results = {name: result for name in names() if (result := published(name))}
    _print_table(Page(highlight=False, width=width), results)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    assert ("what decides" in text) == decides
    assert all(name in text for name in results)
    assert "…" not in text


def test_json_for_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"name", "claim", "verdict", "spread", "seconds"} <= rows[0].keys()
    assert [row["name"] for row in rows] == [name for name in names() if published(name)]


def test_one_study_writes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("receptive-field", "--seeds", "1", "--output", str(tmp_path / "out")) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"receptive-field.{e}" for e in ("md", "svg", "json")
    }
    assert "holds" in capsys.readouterr().out


def test_all_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two = {name: catalogue.modules()[name] for name in ("sparse-connections", "receptive-field")}
    monkeypatch.setattr(catalogue, "modules", lambda: two)
    assert call("--all", "--output", str(tmp_path)) == 0
    first = (tmp_path / "receptive-field.json").read_bytes()
    (tmp_path / "sparse-connections.json").unlink()
    assert "receptive-field: holds" in capsys.readouterr().err
    assert call("--all", "--output", str(tmp_path)) == 0
    again = capsys.readouterr()
    assert "1 of 2 studies are in" in again.err
    assert "receptive-field: " not in again.err
    assert "sparse-connections: holds" in again.err
    assert "2 studies" in again.out
    assert (tmp_path / "receptive-field.json").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["receptive-feild"], "Did you mean `receptive-field`?"),
        (["receptive-field", "--all"], "`--all`: expected no name beside it"),
    ],
)
def test_what_cannot_be_meant(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == 2
    assert text in " ".join(capsys.readouterr().err.split())
