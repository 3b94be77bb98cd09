"""Pages taken apart with the parser of the standard library."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict
    children: list = field(default_factory=list)

    def all(self, tag=None, **attributes):
        """Return elements inside by tag and attributes (``class_`` for a class)."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [each for each in self.walk() if (tag is None or each.tag == tag) and each.has(wanted)]

    def one(self, tag=None, **attributes):
        (found,) = self.all(tag, **attributes)
        return found

    def has(self, wanted):
        return all(value in (self.attributes.get(name) or "").split() for name, value in wanted.items())

    def walk(self):
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    @property
    def text(self):
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join(" ".join(parts).split())


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), f"an attribute of <{tag}> is there twice"
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert tag == self.open[-1].tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(page):
    """Return the root of a page in which every element is closed where it should be."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert len(parser.open) == 1, f"<{parser.open[-1].tag}> is not closed"
    return parser.open[0]


def table(element):
    """Return the head and the rows of a table as texts."""
    head = [cell.text for cell in element.one("thead").all("th")]
    rows = [[c.text for c in row.walk() if c.tag in ("th", "td")] for row in element.one("tbody").all("tr")]
    return head, rows
