"""Keeps the newest facts about the venue as a whole, and tells when one begins and ends.

Shell without I/O: it logs and counts what the core decides.
"""

from dataclasses import replace
from math import inf

import structlog
import trio

from keeper.prices.board import PriceBoard
from keeper.prices.circumstances import (
    CALM,
    Circumstances,
    are_all_failing,
    is_venue_frozen,
    restarting_until_s,
)
from keeper.prices.clocks import are_clocks_sane
from keeper.prices.price import SourceName, TokenId
from keeper.prices.trust_rules import TrustRules
from programs.outage import is_told

log = structlog.get_logger()


class VenueWatch:
    """The circumstances of now. A method that changes what prices are worth returns True."""

    def __init__(self, board: PriceBoard, rules: TrustRules) -> None:
        self._board = board
        self._rules = rules
        self._heard: set[TokenId] = set()
        self._changed_at_s = -inf
        self._is_restarting = False
        self._clock_doubted = trio.Event()
        self.about: Circumstances = CALM

    def note_heard(self, token_id: TokenId, *, has_changed: bool, now_s: float) -> bool:
        """Take the pulse: a token was heard, with new content or with what it had."""
        self._heard.add(token_id)
        if not has_changed:
            return False
        self._changed_at_s = now_s
        if not self.about.is_frozen:
            return False
        self.about = replace(self.about, is_frozen=False)
        log.info("venue.thawed", by=token_id)
        return True

    def forget(self, token_id: TokenId) -> None:
        """Leave a token out of the pulse."""
        self._heard.discard(token_id)

    def note_clock_doubt(self) -> None:
        """Ask for the venue's clock: a stamp went back, or is from the future."""
        self._clock_doubted.set()

    async def wait_clock_doubted(self) -> None:
        """Wait until a stamp made the clock doubtful since it was last noted."""
        await self._clock_doubted.wait()

    def note_clock_skew(self, skew_ms: int) -> None:
        """Keep the venue's clock less ours, and say when the two come to differ too much."""
        was_sane = are_clocks_sane(self.about, self._rules)
        self._board.clock_skew_ms = skew_ms
        self._clock_doubted = trio.Event()
        self.about = replace(self.about, skew_ms=skew_ms, clock_read_at_s=trio.current_time())
        is_sane = are_clocks_sane(self.about, self._rules)
        if was_sane and not is_sane:
            self._board.count_refusal("venue.clock_skewed")
            log.warning(
                "venue.clock_skewed", skew_ms=skew_ms, most_ms=self._rules.clock_skew_max_ms
            )
        elif is_sane and not was_sane:
            log.info("venue.clock_sane", skew_ms=skew_ms)

    def note_restart(self, source: SourceName, why: str) -> bool:
        """Begin or extend the time in which the books are not believed."""
        now_s = trio.current_time()
        until_s = restarting_until_s(self.about, self._rules, now_s)
        self.about = replace(self.about, restarting_until_s=until_s)
        count = self._board.count_refusal(f"{source}.engine_restart")
        if self._is_restarting:
            if is_told(count):
                log.warning("venue.restarting", source=source, why=why, signs=count)
            return False
        self._is_restarting = True
        log.warning(
            "venue.restarting", source=source, why=why, not_believed_s=round(until_s - now_s, 3)
        )
        return True

    def note_answers(self) -> bool:
        """Look whether every source is failing: after a miss or an answer."""
        are_failing = are_all_failing(
            [self._board.failures_in_a_row(traits.name) for traits in self._rules.sources]
        )
        if are_failing is self.about.are_sources_failing:
            return False
        self.about = replace(self.about, are_sources_failing=are_failing)
        if are_failing:
            self._board.count_refusal("venue.sources_failing")
            log.error("venue.failing", reason="every source failed several times in a row")
        else:
            log.info("venue.answering")
        return True

    def note_time(self, now_s: float) -> bool:
        """Let time pass: a restart is over, or nothing has moved for too long."""
        if self._is_restarting and now_s >= self.about.restarting_until_s:
            self._is_restarting = False
            log.info("venue.restarted")
        if self.about.is_frozen or not is_venue_frozen(
            len(self._heard), self._changed_at_s, self._rules, now_s
        ):
            return False
        self.about = replace(self.about, is_frozen=True)
        self._board.count_refusal("venue.frozen")
        log.warning(
            "venue.frozen", tokens=len(self._heard), still_s=round(now_s - self._changed_at_s, 3)
        )
        return True
