"""Great Expectations Data Docs as one HTML file a clerk can open from disk or pass on.

The page Great Expectations renders loads scripts, styles and pictures from six public servers. A list of invoices must
not depend on them, nor tell them it was opened: what is external is removed, the styles are ours and inline, and a
content security policy forbids the page to load or run anything. Shows invoice ids, document names and rules; refuses
to show values of invoices.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lxml import html as lxml_html
from lxml.html import builder as tag

# More rows than this make a page no browser opens gladly; the database has them all.
MOST_ROWS = 1000

INDEX = "index.html"

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_ICONS = {"fa-times": ("✗", "failed"), "fa-check-circle": ("✓", "passed"), "fa-exclamation-triangle": ("!", "warned")}

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --good: #2e7d32; --warn: #b26a00 }
body { font: 15px/1.45 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2rem auto;
       max-width: 75rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2, h5 { font-size: 1.1rem; margin: 1.6rem 0 .4rem }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
ul { margin: 0; padding-left: 1.1rem } .failed { color: var(--bad); font-weight: 600 }
.passed { color: var(--good); font-weight: 600 } .warned { color: var(--warn); font-weight: 600 }
.ge-section { border-top: 1px solid var(--line) } .numbers { font-variant-numeric: tabular-nums }
nav a { display: inline-block; margin: 0 .8rem .2rem 0 }
"""


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """One invoice in the summary: ``why`` are the explanations of the rules that decided, without any value."""

    invoice_id: str
    document_name: str
    is_staged: bool
    why: tuple[str, ...]


def write_data_docs(result: Any, rows: Sequence[InvoiceRow], *, run_name: str, path: Path) -> None:
    """Render a Great Expectations suite result below a summary of the invoices, and put it in place atomically."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    view: Any = DefaultJinjaPageView()
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(result)
    rendered = lxml_html.fromstring(view.render(document))
    sections = rendered.xpath("//div[contains(concat(' ', @class, ' '), ' ge-section ')]")
    for section in sections:
        _make_static(section)
    page = tag.HTML(
        tag.HEAD(
            tag.META(charset="utf-8"),
            tag.META({"http-equiv": "Content-Security-Policy", "content": _POLICY}),
            tag.META(name="viewport", content="width=device-width, initial-scale=1"),
            tag.TITLE(f"Validation of {run_name}"),
            tag.STYLE(_STYLE),
        ),
        tag.BODY(
            tag.H1(f"Validation of {run_name}"),
            *_summary(rows),
            tag.H2("Every rule, as checked by Great Expectations"),
            _contents(sections),
            *sections,
        ),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    _put(page, path)
    _put(_index(path.parent), path.parent / INDEX)


def _put(page: Any, path: Path) -> None:
    # A name of its own for each writer: two runs may end at the same moment, and the last index is complete.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(lxml_html.tostring(page, doctype="<!DOCTYPE html>", encoding="utf-8"))
    unfinished.replace(path)


def _index(folder: Path) -> Any:
    """The pages of all runs in the folder, the newest first."""
    pages = sorted(
        (page for page in folder.glob("*.html") if page.name != INDEX),
        key=lambda page: page.stat().st_mtime,
        reverse=True,
    )
    return tag.HTML(
        tag.HEAD(
            tag.META(charset="utf-8"),
            tag.META({"http-equiv": "Content-Security-Policy", "content": _POLICY}),
            tag.TITLE("Validation of invoices"),
            tag.STYLE(_STYLE),
        ),
        tag.BODY(
            tag.H1("Validation of invoices"),
            tag.UL(*(tag.LI(tag.A(page.stem, href=quote(page.name))) for page in pages)),
        ),
    )


def _summary(rows: Sequence[InvoiceRow]) -> list[Any]:
    to_review = [row for row in rows if not row.is_staged]
    staged = len(rows) - len(to_review)
    told = [
        tag.P(f"{len(rows)} invoices: {staged} accepted, {len(to_review)} sent to review."),
        tag.H2("Sent to review"),
        _table(to_review[:MOST_ROWS]) if to_review else tag.P("None."),
    ]
    if len(to_review) > MOST_ROWS:
        told.append(tag.P(f"{len(to_review) - MOST_ROWS} more are in the database (table finding)."))
    noted = [row for row in rows if row.is_staged and row.why]
    if noted:
        told += [tag.H2("Accepted with a remark"), _table(noted[:MOST_ROWS])]
    return told


def _table(rows: Sequence[InvoiceRow]) -> Any:
    body = [
        tag.TR(
            tag.TD(row.document_name), tag.TD(row.invoice_id), tag.TD(tag.UL(*(tag.LI(reason) for reason in row.why)))
        )
        for row in rows
    ]
    return tag.TABLE(
        tag.THEAD(tag.TR(tag.TH("Document"), tag.TH("Invoice"), tag.TH("Rules it does not keep"))), tag.TBODY(*body)
    )


def _contents(sections: Sequence[Any]) -> Any:
    links = []
    for section in sections:
        heading = section.find(".//h5")
        if heading is not None:
            links.append(tag.A(heading.text_content().strip(), href=f"#{section.get('id')}"))
    return tag.NAV(*links)


def _make_static(section: Any) -> None:
    """Drop what runs or loads, turn icon fonts into characters, and unlink pages that are not written."""
    for element in list(section.iter("script", "link", "img", "style", "iframe")):
        element.drop_tree()
    for icon in section.iter("i"):
        names = set((icon.get("class") or "").split())
        for name in names & _ICONS.keys():
            icon.text, kind = _ICONS[name]
            icon.set("class", kind)
    for link in list(section.iter("a")):
        if not (link.get("href") or "").startswith("#"):
            link.drop_tag()
    for element in section.iter():
        for name in [name for name in element.attrib if name.startswith(("on", "data-"))]:
            del element.attrib[name]
