"""Do endpoints say the same of what cannot change? Who is outvoted, and when nobody can say who is right.

Core. The question is the blockhash of one finalized slot: two answers are two chains. More than half of those that answer are
believed; the others are set aside. Without a majority nobody is: it is for the operator to say, and until the endpoints agree
again no blockhash is believed and no absence counts as a proof, so that nothing is signed for the one chain which the other
might carry out a second time.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from solders.pubkey import Pubkey

from programs.units import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The newest finalized block that an endpoint knows."""

    slot: Slot
    blockhash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """Bytes that every endpoint of our cluster serves, for ever: a piece of the immutable program."""

    address: Pubkey
    owner: Pubkey
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who says the same."""

    believed: frozenset[int] = frozenset()
    """Endpoints whose word is the majority's, or the only one."""
    outvoted: frozenset[int] = frozenset()
    """Endpoints that say something else."""
    is_tie: bool = False
    """Whether nobody has a majority."""


def judge(words: Mapping[int, str | None], voters: Collection[int]) -> Verdict:
    """Judge what endpoints said of the same thing.

    Args:
        words: by endpoint; None where it did not answer, which is neither for nor against anybody.
        voters: endpoints that count; one that is set aside is only compared with the outcome.

    """
    said = {number: word for number, word in words.items() if word is not None}
    votes = Counter(word for number, word in said.items() if number in voters)
    if not votes:
        return Verdict()
    (leader, count), *_ = votes.most_common(1)
    if 2 * count <= votes.total():
        return Verdict(is_tie=True)
    return Verdict(
        believed=frozenset(number for number, word in said.items() if word == leader),
        outvoted=frozenset(number for number, word in said.items() if word != leader),
    )
