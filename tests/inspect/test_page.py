import re
from html.parser import HTMLParser
from io import StringIO

from rich.console import Console

from striate.inspect import Inspection, find, inspect, text
from striate.inspect.page import page


def of(name: str, title: str = "") -> Inspection:
    target = find(name)
    return inspect(target.net, target.input_shape, title or name)


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [name for name, _ in attrs if name in ("src", "href", "srcset", "onclick", "onload")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_one_page_that_needs_nothing_else() -> None:
    html = page([of("lenet5_notes"), of("convnet39")])
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    assert parser.outside == []
    assert not re.search(r"https?:|<script|@import|url\(", html)
    assert 'name="viewport" content="width=device-width' in html
    for number in ("62,958", "44,950", "6,272 act.", "48,120 par.", "470,400 mult."):
        assert number in html


def test_bars_are_as_long_as_their_numbers() -> None:
    html = page([of("lenet5_notes")])
    widths = [float(width) for width in re.findall(r'class="p" width="([\d.]+)"', html)]
    assert widths == [round(100 * n / 48_120, 2) for n in (608, 3216, 48_120, 10_164, 850)]


def test_names_are_escaped_on_the_page_and_in_the_terminal() -> None:
    inspection = of("lenet5", "<b>[red]x")
    inspection.layers[0].name = "<i>[bold]y"
    html = page([inspection])
    assert "&lt;b&gt;[red]x" in html
    assert "<b>[red]" not in html
    assert "&lt;i&gt;[bold]y" in html
    console = Console(width=200, record=True, file=StringIO())
    console.print(text.layer_table(inspection))
    console.print(text.comparison([inspection, inspection]))
    printed = console.export_text()
    assert "<b>[red]x" in printed
    assert "<i>[bold]y" in printed
