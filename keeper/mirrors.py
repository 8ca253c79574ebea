"""Which of the venue's markets the markets on chain mirror, and what is known of their tokens.

Core. A two-outcome market stores its token. A multi-outcome one stores the id of a neg-risk group and a hash: its tokens
are found at the venue and proved by the hash (`prices/outcomes.py`). What a market mirrors never changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from solders.pubkey import Pubkey

from keeper.prices.outcomes import Unproven
from keeper.prices.price import TokenId
from keeper.snapshot import Markets
from programs.accounts import MarketStatus

Claim = tuple[int, bytes]
"""What a multi-outcome market says of its outcomes: how many, and the hash of their triples."""
_TWO_OUTCOMES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """One open market on chain, by what it says of the venue's."""

    address: Pubkey
    number: int
    """The platform's own, for people."""
    outcomes: int
    source_id: bytes
    """Condition id, or the neg-risk group's."""
    token_or_hash: bytes
    """Outcome 0's YES token, or the hash of all triples."""

    @property
    def group_id(self) -> str:
        """Return the neg-risk group's id as Gamma writes it."""
        return "0x" + self.source_id.hex()

    @property
    def claim(self) -> Claim:
        """Return what candidates for its outcomes are held against."""
        return self.outcomes, self.token_or_hash

    @property
    def own_token(self) -> TokenId | None:
        """Return the YES token that a two-outcome market stores; None for the others, which store only a hash."""
        if self.outcomes != _TWO_OUTCOMES:
            return None
        return TokenId(str(int.from_bytes(self.token_or_hash, "big")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What is known at one moment: published whole, never changed."""

    tokens: Mapping[Pubkey, tuple[TokenId, ...]] = field(default_factory=dict)
    """The YES tokens of each open market whose outcomes are known, in the order of its pools."""
    unproven: Mapping[Pubkey, Unproven] = field(default_factory=dict)
    """The others, with the reason."""
    names: Mapping[TokenId, str] = field(default_factory=dict)
    """Each token's market, and outcome if there are several, for people."""

    def tokens_of(self, address: Pubkey) -> tuple[TokenId, ...] | Unproven:
        """Return a market's tokens, or why they are not known."""
        found = self.tokens.get(address)
        return self.unproven.get(address, Unproven.PENDING) if found is None else found

    @property
    def followed(self) -> tuple[TokenId, ...]:
        """Return the tokens to read prices of, each once, in one order whatever the scan's."""
        return tuple(sorted(self.names))


def identities(markets: Markets) -> bytes:
    """Return what tells one set of open markets from another, without looking at any of them alone."""
    is_open = markets.rows["status"] == MarketStatus.OPEN
    columns = ("condition_id", "yes_token_or_hash", "outcomes")
    return b"".join(markets.rows[name][is_open].tobytes() for name in columns)


def mirrors_of(markets: Markets) -> list[Mirror]:
    """Return the open markets by what they mirror; a resolved one needs no price any more."""
    rows = markets.rows
    columns = zip(
        markets.addresses,
        rows["status"].tolist(),
        rows["market_id"].tolist(),
        rows["outcomes"].tolist(),
        rows["condition_id"].tolist(),
        rows["yes_token_or_hash"].tolist(),
        strict=True,
    )
    return [
        Mirror(
            address=address,
            number=number,
            outcomes=outcomes,
            source_id=source_id,
            token_or_hash=token_or_hash,
        )
        for address, status, number, outcomes, source_id, token_or_hash in columns
        if status == MarketStatus.OPEN
    ]


def following_of(
    mirrors: Sequence[Mirror],
    proven: Mapping[Claim, tuple[TokenId, ...]],
    unproven: Mapping[Claim, Unproven],
) -> Following:
    """Put together what is known of each market.

    Args:
        mirrors: the open markets.
        proven: YES tokens by the claim that they proved.
        unproven: the newest reason by the claim that nothing proved yet.
    """
    tokens: dict[Pubkey, tuple[TokenId, ...]] = {}
    reasons: dict[Pubkey, Unproven] = {}
    names: dict[TokenId, str] = {}
    for mirror in mirrors:
        own = mirror.own_token
        found = (own,) if own is not None else proven.get(mirror.claim)
        if found is None:
            reasons[mirror.address] = unproven.get(mirror.claim, Unproven.PENDING)
        else:
            tokens[mirror.address] = found
            names.update(_names_of(mirror, found))
    return Following(tokens=tokens, unproven=reasons, names=names)


def _names_of(mirror: Mirror, tokens: tuple[TokenId, ...]) -> Iterator[tuple[TokenId, str]]:
    for outcome, token in enumerate(tokens):
        part = "" if len(tokens) == 1 else f" outcome {outcome}"
        yield token, f"market {mirror.number}{part}"
