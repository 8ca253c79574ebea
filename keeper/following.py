"""Markets on chain -> the tokens to read prices of.

Shell. A two-outcome market names its token itself and is followed at once. The outcomes of a multi-outcome one are asked
of Gamma and proved by the hash on chain; what is proved stays so, because what a market mirrors never changes. Whatever
Gamma does, it holds up only the markets that it was asked about.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
import trio

from keeper.mirrors import Claim, Following, Mirror, following_of, identities, mirrors_of
from keeper.newest import Newest
from keeper.prices.errors import VenueError
from keeper.prices.listing import MarketListing
from keeper.prices.outcomes import QUESTIONS_MAX, Unproven, group_id_of, prove, question_id
from keeper.prices.price import TokenId
from keeper.snapshot import Snapshot
from keeper.tally import Tally

_QUESTIONS_PER_CALL: Final = 40
"""The venue's own most ids in one request."""
_PLACEHOLDERS_EXPECTED: Final = 4
"""Numbers of a group without a live outcome: so many more are asked for at first."""
_CALLS_AT_ONCE: Final = 2
_RETRY_LEAST_S: Final = 2.0
_RETRY_UNANSWERED_MOST_S: Final = 60.0
_RETRY_UNPROVEN_MOST_S: Final = 3_600.0
"""Gamma answered, and nothing it lists is what the chain means: hardly anything but a new listing changes that."""
log = structlog.get_logger()


class ListQuestions(Protocol):
    """How Gamma is asked."""

    async def __call__(
        self, *, question_ids: Sequence[str], is_closed: bool
    ) -> Sequence[MarketListing]:
        """Return the listings of these questions, open or closed ones, placeholders left out.

        Raises:
            VenueError: no usable reply.
        """


@dataclass(slots=True)
class _Search:
    """One claim that nothing proved yet."""

    mirror: Mirror
    reason: Unproven = Unproven.PENDING
    tries: int = 0
    due_at_s: float = 0.0
    """Infinite while it is under way."""
    found: dict[str, MarketListing] = field(default_factory=dict)
    """Listings of its group seen in this try, by condition."""

    @property
    def first_questions(self) -> int:
        """How many questions are asked for at first."""
        return min(self.mirror.outcomes + _PLACEHOLDERS_EXPECTED, _QUESTIONS_PER_CALL)


@dataclass(slots=True, kw_only=True)
class _State:
    """What is known of the markets on chain, and where it is published."""

    tally: Tally
    list_questions: ListQuestions
    following: Newest[Following]
    followed: Newest[tuple[TokenId, ...]]
    mirrors: list[Mirror] = field(default_factory=list)
    claims: frozenset[Claim] = frozenset()
    """Of the multi-outcome markets that are open."""
    proven: dict[Claim, tuple[TokenId, ...]] = field(default_factory=dict)
    searches: dict[Claim, _Search] = field(default_factory=dict)
    news: trio.Event = field(default_factory=trio.Event)
    """Set when there may be something new to search for."""

    def see(self, mirrors: list[Mirror]) -> None:
        """Take in the open markets; what a resolved one needed is forgotten."""
        multiple = {mirror.claim: mirror for mirror in mirrors if mirror.own_token is None}
        self.mirrors, self.claims = mirrors, frozenset(multiple)
        self.proven = {claim: found for claim, found in self.proven.items() if claim in multiple}
        self.searches = {
            claim: self.searches.get(claim) or _Search(mirror)
            for claim, mirror in multiple.items()
            if claim not in self.proven
        }
        self.news.set()
        self.publish()

    def publish(self) -> None:
        """Publish what is known, where it changed."""
        reasons = {claim: search.reason for claim, search in self.searches.items()}
        newest = following_of(self.mirrors, self.proven, reasons)
        if newest != self.following.get():
            self.following.publish(newest)
        if newest.followed != self.followed.get():
            self.followed.publish(newest.followed)


async def follow_markets(
    tally: Tally,
    chain: Newest[Snapshot],
    list_questions: ListQuestions,
    following: Newest[Following],
    followed: Newest[tuple[TokenId, ...]],
) -> None:
    """Keep up with the open markets on chain until cancelled.

    Args:
        tally: counts the tries that proved nothing, by reason.
        chain: newest snapshot.
        list_questions: asks Gamma.
        following: where each market's tokens are published, whenever they change.
        followed: where the tokens of all of them are, for the feed.
    """
    state = _State(
        tally=tally, list_questions=list_questions, following=following, followed=followed
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_search, state)
        sequence, known = 0, None
        while True:
            sequence, snapshot = await chain.wait_newer(sequence)
            if (found := identities(snapshot.markets)) != known:
                known = found
                state.see(mirrors_of(snapshot.markets))


async def _search(state: _State) -> None:
    """Pursue every claim that is due, and again what stays without proof, ever more rarely."""
    limiter = trio.CapacityLimiter(_CALLS_AT_ONCE)
    async with trio.open_nursery() as nursery:
        while True:
            next_s = min((each.due_at_s for each in state.searches.values()), default=math.inf)
            state.news = trio.Event()
            with trio.move_on_at(next_s):
                await state.news.wait()
            now_s = trio.current_time()
            due = [each for each in state.searches.values() if each.due_at_s <= now_s]
            for search in due:
                search.found = {}
                search.tries += 1
                search.due_at_s = math.inf
            for lot in _lots(due):
                nursery.start_soon(_pursue, state, limiter, lot)


def _lots(searches: Sequence[_Search]) -> list[list[_Search]]:
    """Put together what one call can ask for; what had no answer asks alone, so that no other shares its fate."""
    alone = [[search] for search in searches if search.reason is Unproven.UNANSWERED]
    lots: list[list[_Search]] = []
    room = 0
    for search in searches:
        if search.reason is Unproven.UNANSWERED:
            continue
        if search.first_questions > room:
            lots.append([])
            room = _QUESTIONS_PER_CALL
        lots[-1].append(search)
        room -= search.first_questions
    return lots + alone


async def _pursue(state: _State, limiter: trio.CapacityLimiter, lot: Sequence[_Search]) -> None:
    """Ask where outcomes usually are, for all of a lot at once; then, one by one, wherever they can be.

    A market keeps its outcomes when the venue closes one of them, so closed ones are asked for in the end.
    """
    first = [
        question_id(search.mirror.source_id, number)
        for search in lot
        for number in range(search.first_questions)
    ]
    async with limiter:
        await _ask(state, lot, first, is_closed=False)
    for search in [search for search in lot if not _is_settled(state, search)]:
        every = [question_id(search.mirror.source_id, at) for at in range(QUESTIONS_MAX)]
        calls = itertools.product((False, True), range(0, QUESTIONS_MAX, _QUESTIONS_PER_CALL))
        for is_closed, at in calls:
            if search.reason is Unproven.UNANSWERED or _is_settled(state, search):
                break
            batch = every[at : at + _QUESTIONS_PER_CALL]
            async with limiter:
                await _ask(state, [search], batch, is_closed=is_closed)
        if not _is_settled(state, search):
            _try_later(state, search)


async def _ask(
    state: _State, searches: Sequence[_Search], questions: Sequence[str], *, is_closed: bool
) -> None:
    """Ask once and hold what comes against every claim asked for."""
    try:
        listings = await state.list_questions(question_ids=questions, is_closed=is_closed)
    except VenueError as error:
        log.warning("outcomes.unread", questions=len(questions), reason=str(error))
        for search in searches:
            search.reason = Unproven.UNANSWERED
        return
    for search in searches:
        mirror = search.mirror
        # By the group that each listing says it is of, whatever was asked: the hash decides.
        of_group = [each for each in listings if group_id_of(each) == mirror.group_id]
        search.found |= {each.condition_id.lower(): each for each in of_group}
        found = prove(
            list(search.found.values()), outcomes=mirror.outcomes, proof=mirror.token_or_hash
        )
        if isinstance(found, Unproven):
            search.reason = found
        else:
            state.proven[mirror.claim] = found
            state.searches.pop(mirror.claim, None)
            log.info("outcomes.proved", market=mirror.number, outcomes=mirror.outcomes)
    state.publish()


def _is_settled(state: _State, search: _Search) -> bool:
    """Tell whether a claim is proved, or its market resolved meanwhile."""
    claim = search.mirror.claim
    return claim in state.proven or claim not in state.claims


def _try_later(state: _State, search: _Search) -> None:
    is_silent = search.reason is Unproven.UNANSWERED
    most_s = _RETRY_UNANSWERED_MOST_S if is_silent else _RETRY_UNPROVEN_MOST_S
    wait_s = min(_RETRY_LEAST_S * 2 ** min(search.tries - 1, 20), most_s)
    search.due_at_s = trio.current_time() + wait_s
    state.tally.refusals[f"following.{search.reason}"] += 1
    log.warning(
        "market.unproven",
        market=search.mirror.number,
        outcomes=search.mirror.outcomes,
        group=search.mirror.group_id,
        listed=len(search.found),
        reason=search.reason,
        retry_s=round(wait_s),
    )
    state.news.set()  # there is a new earliest time to wait for
    state.publish()
