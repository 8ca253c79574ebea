"""What operators are told of one token's price: when its class or the reason for it changes, once.

Shell without I/O: it logs and counts. What holds for the whole venue is told once for the venue, not once for each of
its tokens.
"""

from typing import Final

import structlog

from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, Reason

_OF_VENUE: Final = (Reason.SOURCES_FAILING, Reason.ENGINE_RESTART, Reason.VENUE_FROZEN)

log = structlog.get_logger()


def tell_change(board: PriceBoard, before: Price | None, price: Price) -> None:
    """Count a reason that begins, and log a class or reason that begins or ends."""
    if (
        before is not None
        and before.price_class is price.price_class
        and before.reason is price.reason
    ):
        return
    if price.reason is not Reason.OK:
        board.count_reason(price.reason)
    if price.reason in _OF_VENUE or (before is not None and before.reason in _OF_VENUE):
        return
    log.info(
        "price.classed",
        token_id=price.token_id,
        price_e6=price.price_e6,
        price_class=price.price_class,
        before=None if before is None else before.price_class,
        source=price.source,
        reason=price.reason,
    )
