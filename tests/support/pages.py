"""What every page that striate writes must be: whole, self-contained, and made for those who do not see it too."""

import itertools
from html.parser import HTMLParser

VOID = ("meta", "br", "img", "hr", "link", "input")


class Page(HTMLParser):
    """The elements of a page, as far as tests ask for them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.outside: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        for name in ("href", "src", "srcset", "data", "action", "xlink:href"):
            address = values.get(name, "#")
            if not address.startswith(("#", "data:image/jpeg;base64,")) and address:
                self.outside.append(address)
        self.outside += [name for name in values if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each element of a kind."""
        return [values for name, values in self.tags if name == tag]

    @property
    def words(self) -> str:
        """All text, with plain spaces."""
        return " ".join(" ".join(self.text).split())


def require_good(html: str, most_bytes: int = 3_000_000) -> Page:
    """A page that is closed, bounded, self-contained and structured; it is given back."""
    page = Page(html)
    assert page.open == []
    assert page.outside == []
    assert page.all("script") == []
    assert len(html.encode()) < most_bytes
    assert page.all("html")[0]["lang"] == "en"
    assert {values.get("name") for values in page.all("meta")} >= {"viewport", "color-scheme"}
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == 1
    headings = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))
    assert all("alt" in values for values in page.all("img"))
    assert all(values.get("scope") in ("col", "row") for values in page.all("th"))
    assert len(page.all("table")) == len(page.all("caption"))
    for values in page.all("svg"):
        assert values.get("aria-hidden") == "true" or (values["role"] == "img" and values["aria-labelledby"])
    names = [values["id"] for _, values in page.tags if "id" in values]
    assert len(names) == len(set(names))
    referred = " ".join(values.get("aria-labelledby", "") for _, values in page.tags).split()
    referred += [values["href"].removeprefix("#") for values in page.all("a")]
    assert set(referred) <= set(names)
    return page
