"""An instruction of the program whose events nobody can read, because the logs of its transaction are cut.

Core. What it did is told by the transaction's metadata, which nothing cuts: the instruction itself, its accounts and data, and
what it transferred. The reader puts it down in the bytes of an event, with a kind and a series that are not the program's: it
is stored, hashed and taken by the rules like one.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from incentives.sourced import Place
from programs.event_layout import EVENT_VERSION, HEAD, VAULT_SERIES
from programs.instructions.tags import Tag

UNREAD_KIND: Final = 128
"""In the place of an EventKind; the program's own count up from 1."""
UNREAD_SERIES: Final = 0xFFFF_FFFE
"""In the place of the program's series; no root has so high a number."""
ALL: Final = 2**64 - 1
"""As an amount: whatever there is. Source: ALL_SHARES, ALL_LIQUIDITY of the program."""
NUMBERED_NOTIONAL: Final = 100_000_000
"""From this notional on, quote base units, the program numbers an open. Source: ledger.h TRADE_NOTIONAL_MIN."""

_BODY: Final = struct.Struct("<BBHI32s32sQ")
_ROOT: Final = struct.Struct("<QII")
_POSTED: Final = struct.Struct("<Q32s")
_LEAF: Final = struct.Struct("<I32sQ")
_ADDRESS_BYTES: Final = 32
_ORDINALS: Final = 1 << 8
"""More than a transaction can call: 64. Source: agave, MAX_INSTRUCTION_TRACE_LENGTH."""
_TRANSACTIONS: Final = 1 << 16
"""More than a block has room for."""
_IN_VAULT: Final = frozenset(
    {
        Tag.BUY_INVENTORY,
        Tag.CANCEL_CHAIN,
        Tag.EXECUTE_CHAIN,
        Tag.LIQUIDATE,
        Tag.REDEEM,
        Tag.SWEEP_FEES,
    }
)
"""Those of a market that may tell of the vault too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What an instruction was, and what it was given."""

    tag: Tag
    series: int
    """Of the market, of the reward root, or the vault's: where its events are missing."""
    signer: bytes = bytes(_ADDRESS_BYTES)
    """The instruction's first account: who acts in what anybody or an owner may do."""
    account: bytes = bytes(_ADDRESS_BYTES)
    """What it acts on: a position, a chain, a market, or a root's account."""
    part: int = 0
    """The pool; of a close and a redemption, the holding."""
    amount: int = 0
    """Notional of an open, shares of a close, liquidity; ALL is all there is."""
    tail: bytes = b""
    """What only some have: see the properties below."""

    @property
    def touched(self) -> frozenset[int]:
        """The series in which an event of it may be missing."""
        return frozenset({self.series, VAULT_SERIES} if self.tag in _IN_VAULT else {self.series})

    @property
    def root_place(self) -> tuple[int, int]:
        """Of POST_EPOCH and PAY_REWARDS: the program's epoch, and the index of the root."""
        epoch, index, _ = _ROOT.unpack_from(self.tail)
        return epoch, index

    @property
    def posted(self) -> tuple[int, int, bytes]:
        """Of POST_EPOCH: how many leaves, what they come to, and the root."""
        _, _, count = _ROOT.unpack_from(self.tail)
        total, root = _POSTED.unpack_from(self.tail, _ROOT.size)
        return count, total, root

    @property
    def leaves(self) -> Iterator[tuple[int, bytes, int]]:
        """Of PAY_REWARDS: number, token account and amount of every leaf that was paid."""
        return _LEAF.iter_unpack(self.tail[_ROOT.size :])

    @property
    def targets(self) -> list[bytes]:
        """Of LIQUIDATE: the positions and chains that it was given, whether anything became of them or not."""
        return [
            self.tail[at : at + _ADDRESS_BYTES] for at in range(0, len(self.tail), _ADDRESS_BYTES)
        ]

    def payload(self, place: Place, ordinal: int) -> bytes:
        """Return its bytes: an event's head, the body, the tail.

        Args:
            place: where it ran.
            ordinal: of the call among all that the transaction made; makes the number unique, and grow with places.
        """
        assert ordinal < _ORDINALS, "a transaction makes fewer calls"
        number = (place.slot * _TRANSACTIONS + place.tx_index) * _ORDINALS + ordinal
        head = HEAD.pack(EVENT_VERSION, UNREAD_KIND, 0, UNREAD_SERIES, number, place.slot)
        body = _BODY.pack(
            self.tag, 0, self.part, self.series, self.signer, self.account, self.amount
        )
        return head + body + self.tail

    @classmethod
    def from_payload(cls, payload: bytes) -> "Unread":
        """Read what `payload` returned."""
        tag, _, part, series, signer, account, amount = _BODY.unpack_from(payload, HEAD.size)
        return cls(
            tag=Tag(tag),
            part=part,
            series=series,
            signer=signer,
            account=account,
            amount=amount,
            tail=payload[HEAD.size + _BODY.size :],
        )


def posting_tail(epoch: int, index: int, count: int, total: int, root: bytes) -> bytes:
    """Return what POST_EPOCH has beside."""
    return _ROOT.pack(epoch, index, count) + _POSTED.pack(total, root)


def paying_tail(epoch: int, index: int, leaves: list[tuple[int, bytes, int]]) -> bytes:
    """Return what PAY_REWARDS has beside: number, token account and amount of each leaf that was paid."""
    return _ROOT.pack(epoch, index, len(leaves)) + b"".join(_LEAF.pack(*leaf) for leaf in leaves)


def is_unread(payload: bytes) -> bool:
    """Say whether an event's bytes are those of an unread instruction."""
    return len(payload) > 1 and payload[1] == UNREAD_KIND
