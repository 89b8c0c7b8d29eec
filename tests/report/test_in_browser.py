"""The report in a browser, as it is sent round: on a phone and a desktop, in the dark and on paper.

Skipped where Playwright or Debian's chromium is not there. Where the environment names the file of axe-core in
STRIATE_AXE (axe.min.js of its npm package), its rules are run too.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.data.index_file import load_index
from striate.model import load
from striate.report.write import write_report
from striate.training import RunFolder

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no chromium in /usr/bin")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def written(finished: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    index = load_index(finished.index)
    write_report(load(finished.model), index, finished.model, finished, page=path, workers=1)
    return path


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_a_request_and_fits_the_screen(browser: Any, written: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=True)
    requests: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(written.as_uri())
    assert [url for url in requests if not url.startswith("data:")] == [written.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    _require_accessible(page)
    page.close()


def _require_accessible(page: Any) -> None:
    """No serious finding of axe-core, where it is there."""
    source = os.environ.get("STRIATE_AXE", "")
    if source:
        page.add_script_tag(path=source)
        found = page.evaluate("axe.run().then(found => found.violations.map(each => [each.id, each.impact]))")
        assert [rule for rule, impact in found if impact in ("serious", "critical")] == []


def test_it_prints_on_a_few_pages(browser: Any, written: Path) -> None:
    page = browser.new_page()
    page.goto(written.as_uri())
    pdf: bytes = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 1 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 12
    page.close()
