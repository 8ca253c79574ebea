"""What happened to one market in a drill, in order: what a picture draws and the table behind it lists.

Core.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from keeper.drills.model import Action, ActionKind, Belief, DrillResult, Heard, Phase, Truth
from keeper.drills.scales import clock
from keeper.drills.thinning import evenly
from keeper.prices.numerals import dollars
from keeper.prices.price import PERMISSIONS, PriceClass

CLASSES: Final = (*(each.value for each in PriceClass), "unknown")
"""Best first; the last for a class that this keeper does not know."""
_Recorded = Truth | Heard | Belief | Action
_T = TypeVar("_T", bound=_Recorded)
_Word = TypeVar("_Word", bound=Truth | Heard)
_LENGTH_LEAST_S: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One market's part of a drill; every sequence in the order of time."""

    market: str
    starts_s: float
    ends_s: float
    phases: tuple[Phase, ...]
    truths: tuple[Truth, ...]
    heard: tuple[Heard, ...]
    beliefs: tuple[Belief, ...]
    actions: tuple[Action, ...]
    column_px: int = 1
    """How wide a column of readings is drawn: pages with many pictures take wider ones."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources that said anything, in the order of their first word."""
        return tuple(dict.fromkeys(each.source for each in self.heard))

    @property
    def bad(self) -> tuple[Action, ...]:
        """Actions that must not have happened."""
        return tuple(each for each in self.actions if each.bad is not None)

    def held(self) -> Iterator[tuple[Belief, float]]:
        """Yield each belief with the time until which it held."""
        ends = [*(each.at_s for each in self.beliefs[1:]), self.ends_s]
        yield from zip(self.beliefs, ends, strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table behind a picture."""

    at: str
    what: str
    price: str
    band: str = ""
    price_class: str = ""
    source: str = ""
    reason: str = ""
    is_bad: bool = False


def stories(result: DrillResult) -> tuple[Story, ...]:
    """Tell a drill market by market: first where something bad was done, then where most happened."""
    recorded: tuple[_Recorded, ...] = (
        *result.truths,
        *result.heard,
        *result.beliefs,
        *result.actions,
    )
    markets = dict.fromkeys(each.market for each in recorded)
    # What the venue said while everything was still being started is no part of the drill; what was done always is.
    times = [at_s for each in result.phases for at_s in (each.starts_s, each.ends_s)]
    times += [each.at_s for each in result.beliefs]
    times += [each.at_s for each in result.actions]
    times = times or [each.at_s for each in recorded]
    starts_s = min(times, default=0.0)
    ends_s = max(max(times, default=0.0), starts_s + _LENGTH_LEAST_S)
    told = [
        Story(
            market=market,
            starts_s=starts_s,
            ends_s=ends_s,
            phases=result.phases,
            truths=_within(_of(result.truths, market), starts_s, ends_s),
            heard=tuple(
                each
                for source in dict.fromkeys(each.source for each in result.heard)
                for each in _within(
                    tuple(e for e in _of(result.heard, market) if e.source == source),
                    starts_s,
                    ends_s,
                )
            ),
            beliefs=_of(result.beliefs, market),
            actions=_of(result.actions, market),
        )
        for market in markets
    ]
    return tuple(
        sorted(told, key=lambda each: (-len(each.bad), -_class_changes(each), -len(each.actions)))
    )


def rank_of(price_class: str) -> int:
    """Return a class's place in CLASSES, the last one for an unknown class."""
    return CLASSES.index(price_class) if price_class in CLASSES else len(CLASSES) - 1


def may_post(price_class: str) -> bool:
    """Tell whether the table of classes lets a keeper act at all."""
    return price_class in CLASSES[:-1] and PERMISSIONS[PriceClass(price_class)].post


def rows(story: Story, most: int) -> tuple[list[Row], int]:
    """List what happened: truth, beliefs and actions.

    Returns:
        At most `most` rows, evenly chosen where there are more, and how many were left out. Bad actions are always in.
    """
    found = sorted(
        [
            *((each.at_s, _truth_row(each)) for each in story.truths),
            *((each.at_s, _belief_row(each)) for each in story.beliefs),
            *((each.at_s, _action_row(each)) for each in story.actions),
        ],
        key=lambda pair: pair[0],
    )
    chosen = set(evenly(len(found), most))
    kept = [row for index, (_, row) in enumerate(found) if index in chosen or row.is_bad]
    return kept, len(found) - len(kept)


def in_words(story: Story) -> str:
    """Describe the picture to whoever cannot see it."""
    prices = [each.price_e6 for each in story.truths if each.price_e6 is not None]
    words = []
    if prices:
        words.append(f"The truth lay between {dollars(min(prices))} and {dollars(max(prices))}.")
    changes = _classes_in_turn(story.beliefs)
    if changes:
        listed = ", ".join(f"{each.price_class} from {clock(each.at_s)}" for each in changes[:12])
        more = f", and {len(changes) - 12} changes more" if len(changes) > 12 else ""  # noqa: PLR2004 - as above
        words.append(f"The keeper's class was {listed}{more}.")
    posts = sum(each.kind is ActionKind.POST for each in story.actions)
    words.append(
        f"{posts} posts and {len(story.actions) - posts} liquidations landed, {len(story.bad)} of them wrong."
    )
    return " ".join(words)


def _of(recorded: Sequence[_T], market: str) -> tuple[_T, ...]:
    return tuple(
        sorted((each for each in recorded if each.market == market), key=lambda each: each.at_s)
    )


def _within(recorded: tuple[_Word, ...], starts_s: float, ends_s: float) -> tuple[_Word, ...]:
    """Keep what was said in the drill; what stood at its start counts as said then."""
    after = [each for each in recorded if starts_s < each.at_s <= ends_s]
    before = [each for each in recorded if each.at_s <= starts_s]
    return (*(replace(each, at_s=starts_s) for each in before[-1:]), *after)


def _classes_in_turn(beliefs: Sequence[Belief]) -> list[Belief]:
    return [
        each
        for index, each in enumerate(beliefs)
        if index == 0 or beliefs[index - 1].price_class != each.price_class
    ]


def _class_changes(story: Story) -> int:
    return len(_classes_in_turn(story.beliefs))


def _truth_row(truth: Truth) -> Row:
    price = "nobody can know" if truth.price_e6 is None else dollars(truth.price_e6)
    return Row(at=clock(truth.at_s), what="truth", price=price)


def _belief_row(belief: Belief) -> Row:
    return Row(
        at=clock(belief.at_s),
        what="believed",
        price=dollars(belief.price_e6),
        band=dollars(belief.band_e6),
        price_class=belief.price_class,
        source=belief.source,
        reason=belief.reason,
    )


def _action_row(action: Action) -> Row:
    done = "posted" if action.kind is ActionKind.POST else "liquidated"
    return Row(
        at=clock(action.at_s),
        what=f"{done}, slot {action.slot}",
        price=dollars(action.price_e6),
        band=dollars(action.band_e6),
        price_class=action.price_class,
        reason="" if action.bad is None else f"BAD: {action.bad}",
        is_bad=action.bad is not None,
    )
