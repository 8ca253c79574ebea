"""One round, for a cron job or a look after an incident: see everything once, do what is due, wait for it, and end.

The round is over when the chain was scanned, the venue has said of each token what it says, and then no lane has had anything
in flight for a few slots; or when it has lasted as long as due work may wait. What could not be done is said, and shows
in the exit code.
"""

from collections.abc import Mapping
from typing import Any, Final

import trio

from keeper.interrupt import Orders
from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.price import TokenId
from keeper.snapshot import Snapshot
from keeper.tally import Tally

_SIGHT_TIMEOUT_S: Final = 30.0
"""For the first scan and the first prices: several times what a slow node and a slow venue take."""
_QUIET_SLOTS: Final = 5
"""Lanes decide in every slot; a liquidation is simulated before it is in flight."""
_ROUND_SLOTS_MAX: Final = 150
"""Then every price of the round is stale (SPEC.md section 6)."""


async def end_after_one_round(
    orders: Orders,
    chain: Newest[Snapshot],
    followed: Newest[tuple[TokenId, ...]],
    board: PriceBoard,
    tally: Tally,
    slot_s: float,
) -> None:
    """Set `orders.stop` when the round is over; the drain waits for what is in flight then."""
    with trio.move_on_after(_SIGHT_TIMEOUT_S):
        await chain.wait_newer(0)
        _, tokens = await followed.wait_newer(0)
        while not all(board.get(each) or board.why_unpriced(each) for each in tokens):  # noqa: ASYNC110  # the board wakes nobody for a token without a price
            await trio.sleep(slot_s)
    quiet = 0
    with trio.move_on_after(_ROUND_SLOTS_MAX * slot_s):
        while quiet < _QUIET_SLOTS:
            await trio.sleep(slot_s)
            quiet = 0 if any(tally.jobs_in_flight.values()) else quiet + 1
    orders.stop.set()


def undone(report: Mapping[str, Any]) -> list[str]:
    """Say what a round could not do, a sentence each; nothing: exit code 0.

    Work that was rightly refused (not worth its fee, a price that may not be posted) is not undone: it is told under
    `refusals`.
    """
    prices, transactions = report["prices"], report["transactions"]
    found = []
    if not report["positions"]["scans"]:
        found.append("the chain could not be scanned")
    if not prices["published"]:
        found.append("no price could be read from the venue")
    reasons = "; ".join(transactions["failed_because"])
    because = {"failed": f" ({reasons})" if reasons else "", "expired": "", "open": ""}
    for end, words in (
        ("failed", "failed on chain"),
        ("expired", "never landed"),
        ("open", "still open: the next start settles them"),
    ):
        count = transactions[end]
        if count:
            found.append(f"{count} transaction{'s' if count > 1 else ''} {words}{because[end]}")
    return found
