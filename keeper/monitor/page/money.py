"""The vault, what is spent, and the rewards.

Core.
"""

from keeper.monitor.page import words
from keeper.monitor.page.blocks import Cell, Meter, Section, State, Table, Tile, above, cells
from keeper.monitor.page.shown import Shown
from state import metrics as m

_COVERAGE_WARNING = 1.0
_COVERAGE_BAD = 0.5
"""Source: SPEC.md section 6, the levels."""
_BOOTSTRAP_TRADES = 100
_RUNWAY_WARNING_S = 86_400.0
_RUNWAY_BAD_S = 6 * 3_600.0
_CAP_WARNING = 0.8


def vault(shown: Shown) -> Section:
    """Show what the vault has, lends and covers."""
    cash, coverage = shown.get(m.VAULT_QUOTE), shown.get(m.COVERAGE)
    interest = sorted(shown.by(m.MARKET_OPEN_INTEREST_QUOTE).items(), key=lambda each: -each[1])
    bad_debt = shown.get(m.BAD_DEBT_QUOTE)
    return Section(
        id="vault",
        title="Vault",
        tiles=(
            Tile(name="coverage", value=words.ratio(coverage), state=_covered(coverage, cash)),
            Tile(name="not lent", value=words.amount(cash), note="quote units"),
            Tile(name="lent", value=words.amount(shown.get(m.VAULT_LENT_QUOTE))),
            Tile(name="equity", value=words.amount(shown.get(m.VAULT_EQUITY_QUOTE))),
            Tile(name="open interest", value=words.amount(shown.get(m.OPEN_INTEREST_QUOTE))),
            Tile(name="bad debt so far", value=words.amount(bad_debt)),
        ),
        tables=(
            Table(
                id="open-interest",
                caption="Open interest of the largest markets",
                columns=("market", "quote units"),
                rows=[
                    (Cell(text=market, is_code=True), Cell(text=words.amount(value)))
                    for market, value in interest
                ],
                empty="no open interest",
                is_folded=True,
            ),
        ),
    )


def _covered(coverage: float | None, cash: float | None) -> State:
    if coverage is None or not cash:
        return ""
    if coverage < _COVERAGE_BAD:
        return "bad"
    return "warning" if coverage < _COVERAGE_WARNING else "good"


def rewards(shown: Shown) -> Section:
    """Show how far the bootstrap is, and what is owed and paid."""
    trades = shown.get(m.TRADES)
    payouts = shown.by(m.PAYOUTS)
    meters = (
        ()
        if trades is None
        else (
            Meter(
                name="bootstrap",
                value=min(trades, _BOOTSTRAP_TRADES),
                value_max=_BOOTSTRAP_TRADES,
                words=f"{words.count(trades)} of {_BOOTSTRAP_TRADES} trades earn double"
                if trades < _BOOTSTRAP_TRADES
                else f"over: all {_BOOTSTRAP_TRADES} first trades are made",
            ),
        )
    )
    return Section(
        id="rewards",
        title="Bootstrap and rewards",
        meters=meters,
        tiles=(
            Tile(name="emitted", value=words.amount(shown.get(m.EMITTED_MMT)), note="MMT"),
            Tile(name="owed", value=words.amount(shown.get(m.OWED_MMT)), note="MMT"),
            Tile(name="paid", value=words.amount(shown.get(m.PAID_MMT)), note="MMT"),
            Tile(name="epochs closed", value=words.count(shown.get(m.EPOCHS_CLOSED))),
            Tile(name="ledger lines", value=words.count(shown.get(m.LEDGER_LINES))),
            Tile(name="ledger behind", value=words.count(shown.get(m.LEDGER_LAG)), note="slots"),
        ),
        tables=(
            Table(
                id="payouts",
                caption="Payouts by state",
                columns=("state", "leaves"),
                rows=[cells(state, words.count(value)) for state, value in payouts.items()],
                empty="no payouts",
            ),
        ),
    )


def spend(shown: Shown) -> Section:
    """Show who pays, how long that lasts, and what lanes may still spend."""
    spent, capped = shown.by(m.SPEND_HOUR_LAMPORTS), shown.by(m.SPEND_HOUR_MAX_LAMPORTS)
    balances, runways = shown.by(m.PAYER_LAMPORTS), shown.by(m.PAYER_RUNWAY)
    return Section(
        id="spend",
        title="Spend",
        meters=[
            Meter(
                name=lane,
                value=min(value, capped[lane]),
                value_max=capped[lane],
                words=f"{words.sol(value)} of {words.sol(capped[lane])} within the hour",
                state=above(value / capped[lane], _CAP_WARNING, 0.999),
            )
            for lane, value in spent.items()
            if capped.get(lane)
        ],
        tiles=(
            Tile(name="spent by this run", value=words.sol(_sum(shown.by(m.SPENT_LAMPORTS)))),
            Tile(
                name="compute units used of those asked for",
                value=words.share(_part(shown.get(m.CU_USED), shown.get(m.CU_REQUESTED))),
            ),
        ),
        tables=(
            Table(
                id="payers",
                caption="Payers",
                columns=("payer", "balance", "lasts"),
                rows=[
                    (
                        Cell(text=payer, is_code=True),
                        Cell(text=words.sol(value)),
                        Cell(
                            text=words.length(runways.get(payer)),
                            state=_lasting(runways.get(payer)),
                        ),
                    )
                    for payer, value in balances.items()
                ],
                empty="no balance read yet",
            ),
        ),
    )


def _lasting(runway_s: float | None) -> State:
    if runway_s is None:
        return ""
    return above(-runway_s, -_RUNWAY_WARNING_S, -_RUNWAY_BAD_S)


def _sum(values: dict[str, float]) -> float | None:
    return sum(values.values()) if values else None


def _part(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
