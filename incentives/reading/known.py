"""The markets and reward roots that the program has made so far, by their accounts.

Core. Events name them by number, instructions by account: whoever reads an instruction needs both.
"""

from dataclasses import dataclass, field
from typing import Final

from incentives.rules.payloads import Picked, series_of
from incentives.unread import UNREAD_KIND, Unread
from programs.event_layout import REWARDS_SERIES, EventKind
from programs.instructions.tags import Tag

TEACHING: Final = (EventKind.MARKET_CREATED, EventKind.EPOCH_POSTED, UNREAD_KIND)
"""The kinds of events that there is something to learn from."""
_CREATED: Final = Picked(EventKind.MARKET_CREATED, "market")
_POSTED: Final = Picked(EventKind.EPOCH_POSTED, "epoch", "index", "account")


@dataclass(slots=True)
class Known:
    """Learnt from events in their order; learning one again changes nothing."""

    markets: dict[bytes, int] = field(default_factory=dict)
    """Account -> series. The program numbers them from 0, without gaps."""
    roots: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    """Account -> series, the program's epoch, index. Numbered likewise, from REWARDS_SERIES on."""

    def learn(self, payload: bytes) -> None:
        """Take an event of a kind that teaches."""
        match payload[1]:
            case EventKind.MARKET_CREATED:
                (market,) = _CREATED.of(payload)
                self.markets[market] = series_of(payload)
            case EventKind.EPOCH_POSTED:
                epoch, index, account = _POSTED.of(payload)
                self.roots[account] = (series_of(payload), epoch, index)
            case _:
                self._learn_unread(Unread.from_payload(payload))

    def _learn_unread(self, unread: Unread) -> None:
        if unread.tag is Tag.CREATE_MARKET:
            self.markets[unread.account] = unread.series
        elif unread.tag is Tag.POST_EPOCH:
            self.roots[unread.account] = (unread.series, *unread.root_place)

    def series_of_new_market(self, account: bytes) -> int:
        """Return the series of a market that is being made."""
        return self.markets.get(account, len(self.markets))

    def series_of_new_root(self, account: bytes) -> int:
        """Return the series of a root that is being posted."""
        known = self.roots.get(account)
        return REWARDS_SERIES + len(self.roots) if known is None else known[0]
