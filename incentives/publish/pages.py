"""The published pages: static, without scripts, readable in any browser.

jinja2 escapes whatever is shown.
"""

from collections.abc import Sequence
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from incentives.amounts import in_mmt
from incentives.publish.published import EpochRow, PublishedEpoch

_LEAVES_SHOWN: Final = 1_000
"""On an epoch's page; the files have all of them."""


def index_page(epochs: Sequence[EpochRow], *, program: str, genesis: str) -> str:
    """Return the page of all epochs."""
    template = _environment().get_template("index.html")
    return template.render(epochs=epochs, program=program, genesis=genesis)


def epoch_page(epoch: PublishedEpoch) -> str:
    """Return an epoch's page."""
    return _environment().get_template("epoch.html").render(epoch=epoch, shown=_LEAVES_SHOWN)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("incentives.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["mmt"] = in_mmt
    return environment
