"""Which books of a socket need a snapshot, and when to ask the venue for it.

Core: the time is an argument. A snapshot is had by unsubscribing and subscribing again, and not every venue heeds that:
requests are spaced, and what they do not heal is remembered, for then only a fresh socket helps.
"""

from collections.abc import Iterable
from typing import Final

from keeper.prices.price import TokenId

INTERVAL_S: Final = 10.0
"""Least time between two requests for one token, so that a contradictory market cannot make us flood."""
INTERVAL_MAX_S: Final = 300.0
"""Requests that go unanswered grow this rare: the venue has no book of some tokens."""
PATIENCE_S: Final = 3.0
"""How long the venue may take for a snapshot, asked for or announced."""
RELAPSE_S: Final = 60.0
"""A token doubted again so soon after its snapshot came was not healed by it."""
_MANY: Final = 4
"""From so many tokens on, half of them doubted is the socket's doing."""


class SnapshotRequests:
    """The wanted snapshots of one socket."""

    def __init__(self) -> None:
        self._due_s: dict[TokenId, float] = {}
        """Wanted, and when to ask."""
        self._asked_s: dict[TokenId, float] = {}
        """When each was last asked for."""
        self._unanswered: dict[TokenId, int] = {}
        """Requests in a row that brought nothing."""
        self._doubted_s: dict[TokenId, float] = {}
        """Tokens gone silent, and since when that is known."""
        self._healed_s: dict[TokenId, float] = {}
        """When the snapshot of a doubted token came."""
        self._has_relapsed = False
        self.next_due_s = float("inf")
        """When to look for due requests at the latest; there may turn out to be none."""

    def want(self, tokens: Iterable[TokenId], now_s: float, *, after_s: float = 0.0) -> None:
        """Note that a snapshot is needed: at once, or unless it comes by itself within `after_s`."""
        for token_id in tokens:
            due_s = now_s + after_s
            if token_id in self._asked_s:
                due_s = max(due_s, self._asked_s[token_id] + self._spacing_s(token_id))
            self._due_s[token_id] = min(due_s, self._due_s.get(token_id, due_s))
            self.next_due_s = min(self.next_due_s, due_s)

    def doubt(self, tokens: Iterable[TokenId], now_s: float) -> None:
        """Note tokens of which nothing is heard although there is something to hear."""
        for token_id in tokens:
            if now_s - self._healed_s.pop(token_id, float("-inf")) < RELAPSE_S:
                self._has_relapsed = True
            self._doubted_s.setdefault(token_id, now_s)
            self.want((token_id,), now_s)

    def arrive(self, tokens: Iterable[TokenId], now_s: float) -> None:
        """Note that snapshots came."""
        for token_id in tokens:
            self._due_s.pop(token_id, None)
            self._unanswered.pop(token_id, None)
            if self._doubted_s.pop(token_id, None) is not None:
                self._healed_s[token_id] = now_s

    def forget(self, tokens: Iterable[TokenId]) -> None:
        """Let go of tokens."""
        for token_id in tokens:
            self._due_s.pop(token_id, None)
            self._asked_s.pop(token_id, None)
            self._unanswered.pop(token_id, None)
            self._doubted_s.pop(token_id, None)
            self._healed_s.pop(token_id, None)

    def take_due(self, now_s: float) -> list[TokenId]:
        """Return the tokens to ask for now, and count them as asked: without an answer they come due again."""
        due = [token_id for token_id, due_s in self._due_s.items() if due_s <= now_s]
        for token_id in due:
            self._unanswered[token_id] = self._unanswered.get(token_id, 0) + 1
            self._asked_s[token_id] = now_s
            self._due_s[token_id] = now_s + self._spacing_s(token_id)
        self.next_due_s = min(self._due_s.values(), default=float("inf"))
        return due

    def are_beyond_help(self, now_s: float, followed: int) -> bool:
        """Tell whether asking is of no use and the socket should be replaced.

        It is when half of its `followed` tokens are doubted at once, when a doubted token's snapshot does not come,
        or when it came and the token is silent again.
        """
        doubted = len(self._doubted_s)
        if self._has_relapsed or (followed >= _MANY and 2 * doubted >= followed):
            return True
        return any(now_s - since_s > PATIENCE_S for since_s in self._doubted_s.values())

    def _spacing_s(self, token_id: TokenId) -> float:
        doublings = max(self._unanswered.get(token_id, 0) - 1, 0)
        return min(INTERVAL_S * 2.0 ** min(doublings, 30), INTERVAL_MAX_S)
