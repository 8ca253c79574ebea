"""Datasette's plugin: a page of charts over the ledger's reports, at /season.

Shell. Only read where Datasette is installed (the extra `serve`).
"""

from typing import Any, Final

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from incentives.amounts import in_mmt
from incentives.serve.drawing import HEIGHT, WIDTH, draw_bars, draw_lines
from incentives.serve.questions import DATABASE
from programs.units import MMT_DECIMALS

_TOP_WALLETS: Final = 10
_FIRST_TRADES: Final = 100
_POINTS_MAX: Final = 500
"""Of a curve: a season has 4_320 epochs, and a picture 720 columns."""


@hookimpl  # type: ignore[untyped-decorator]  # pluggy's own, without types
def register_routes() -> list[tuple[str, Any]]:
    """Add the page."""
    return [(r"^/season$", season_page)]


@hookimpl  # type: ignore[untyped-decorator]  # pluggy's own, without types
def menu_links(datasette: Datasette) -> list[dict[str, str]]:
    """Add it to the menu."""
    return [{"href": datasette.urls.path("/season"), "label": "Charts"}]


async def season_page(datasette: Datasette) -> Response:
    """Answer with the charts as of now."""
    ledger = datasette.get_database(DATABASE)

    async def rows(sql: str) -> list[Any]:
        found = await ledger.execute(sql)
        return list(found.rows)

    epochs = await rows("SELECT * FROM emission_against_accrual ORDER BY epoch")
    step = max(1, -(-len(epochs) // _POINTS_MAX))
    shown = epochs[::-1][::step][::-1]
    wallets = await rows(
        f"SELECT wallet, earned, paid FROM wallet_balance ORDER BY earned DESC LIMIT {_TOP_WALLETS}"  # noqa: S608 - our own number
    )
    trades = await rows(
        "SELECT coalesce(sum(is_voided = 0), 0), coalesce(sum(is_voided), 0) FROM boosted_trade"
    )
    states = await rows("SELECT state, payouts, amount FROM payouts_by_state ORDER BY state")
    (through_slot,) = next(iter(await rows("SELECT max(through_slot) FROM progress")))
    boosted, voided = trades[0]
    page = _template().render(
        base_url=datasette.urls.instance(),
        database_url=datasette.urls.database(DATABASE),
        through_slot=through_slot,
        width=WIDTH,
        height=HEIGHT,
        emission=draw_lines(
            [row["epoch"] for row in shown],
            [(name, [row[name] for row in shown]) for name in ("emitted", "allocated", "paid")],
        ),
        wallets=draw_bars([(row["wallet"], row["earned"], row["paid"]) for row in wallets]),
        states=draw_bars([(row["state"], row["amount"], row["amount"]) for row in states]),
        counts={row["state"]: row["payouts"] for row in states},
        first_trades=_FIRST_TRADES,
        boosted=boosted,
        voided=voided,
    )
    return Response.html(page)


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("incentives.serve"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["mmt"] = in_mmt
    environment.filters["mmt_short"] = lambda base_units: f"{base_units / 10**MMT_DECIMALS:,.5g}"
    return environment.get_template("season.html")
