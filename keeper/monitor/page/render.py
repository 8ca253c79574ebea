"""The page and its panels as HTML.

Shell: templates and static files are read from the package, once. jinja2 escapes whatever is shown.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from keeper.monitor.page import words
from keeper.monitor.page.blocks import SIGNS, Cell, Section
from keeper.monitor.page.charts import HEIGHT, SPAN_WORDS, charts
from keeper.monitor.page.history import Span
from keeper.monitor.page.machinery import endpoints, processes
from keeper.monitor.page.money import rewards, spend, vault
from keeper.monitor.page.overview import overview
from keeper.monitor.page.shown import INCENTIVES, KEEPER, SILENT_S, Shown
from keeper.monitor.page.work import chains, landed, lanes, prices

_SECTIONS: Final = (
    (vault, KEEPER),
    (lanes, KEEPER),
    (prices, KEEPER),
    (endpoints, KEEPER),
    (chains, KEEPER),
    (rewards, INCENTIVES),
    (spend, KEEPER),
    (processes, None),
    (landed, KEEPER),
)
"""In their order, and whose word each rests on."""
_FIRST: Final = (("alerts", "Alerts"), ("charts", "Curves"))
_MEDIA: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_UNSHOWABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, lone surrogates, and what reorders the text after it."""


def _static_files() -> dict[str, tuple[str, bytes]]:
    """Return media types and bytes by names that change with what is in them."""
    found = {}
    for file in (files(__package__) / "static").iterdir():
        stem, _, ending = file.name.rpartition(".")
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()[:12]
        found[f"{stem}.{digest}.{ending}"] = (_MEDIA[ending], data)
    return found


STATIC: Final[Mapping[str, tuple[str, bytes]]] = _static_files()


def panels(shown: Shown, span: Span, *, with_charts: bool = True) -> dict[str, Markup]:
    """Render every panel by its id, in the page's order; curves only when asked for, they move rarely."""
    first = overview(shown)
    found = {
        "top": _TOP.render(
            verdict=first.verdict,
            facts=first.facts,
            alerts=first.alerts,
            failed=first.failed,
            passed=first.passed,
        )
    }
    if with_charts:
        found["charts"] = _CHARTS.render(
            charts=charts(shown.history, span),
            span_words=SPAN_WORDS[span],
            height=HEIGHT,
        )
    for section in sections(shown):
        found[section.id] = _SECTION.render(section=section)
    # Rendered by jinja2, which escaped what is in it.
    return {panel: Markup(html) for panel, html in found.items()}  # noqa: S704 - see above


def page(shown: Shown, span: Span) -> str:
    """Render the whole page as of one moment."""
    return _PAGE.render(
        at=words.clock(shown.wall_s),
        panels=panels(shown, span),
        sections=[*_FIRST, *((each.id, each.title) for each in sections(shown))],
        span=span,
        spans=SPAN_WORDS,
        verdict=overview(shown).verdict,
    )


def runbook(name: str, html: str) -> str:
    """Render what an alert's page says.

    Args:
        name: of the alert.
        html: its text, rendered from our own Markdown.
    """
    return _RUNBOOK.render(name=name, html=Markup(html))  # noqa: S704 - the renderer escaped what is in it


def sections(shown: Shown) -> list[Section]:
    """Return the sections, those that rest on a silent service's word marked."""
    return [
        replace(make(shown), is_old=service is not None and _is_old(shown, service))
        for make, service in _SECTIONS
    ]


def _is_old(shown: Shown, service: str) -> bool:
    seen = shown.samples.get(service)
    return seen is not None and (seen.sample.is_last or seen.age_s > SILENT_S)


def _sign(state: str) -> Markup:
    sign = SIGNS.get(state)
    return (
        Markup("")
        if sign is None
        else Markup('<span class="sign" aria-hidden="true">{}</span>').format(sign)
    )


def _show(cell: Cell) -> Markup:
    text = (
        Markup("<code>{}</code>").format(showable(cell.text))
        if cell.is_code
        else escape(showable(cell.text))
    )
    if cell.href is not None:
        text = Markup('<a href="{}" rel="noreferrer noopener">{}</a>').format(cell.href, text)
    return _sign(cell.state) + text


def _code(text: str) -> Markup:
    """Set what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


def showable(text: str) -> str:
    """Replace what cannot be shown, or would reorder what is."""
    return _UNSHOWABLE.sub("\ufffd", text)


def _finalize(value: object) -> object:
    return showable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("keeper.monitor.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = {name.split(".")[0] + "." + name.rsplit(".", 1)[1]: name for name in STATIC}
    environment.globals |= {
        "sign": _sign,
        "show": _show,
        "static": lambda name: f"static/{names[name]}",
    }
    environment.filters |= {"plain": words.plain, "code": _code}
    return environment


_ENVIRONMENT: Final = _environment()
_PAGE: Final = _ENVIRONMENT.get_template("page.html")
_RUNBOOK: Final = _ENVIRONMENT.get_template("runbook.html")
_TOP: Final = _ENVIRONMENT.get_template("panels/top.html")
_CHARTS: Final = _ENVIRONMENT.get_template("panels/charts.html")
_SECTION: Final = _ENVIRONMENT.get_template("panels/section.html")
