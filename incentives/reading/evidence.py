"""A call of the program as a transaction's metadata has it -> what is recorded in the place of its events.

Core. A call that fails takes its whole transaction with it, so what is listed of a transaction that succeeded was done. What an
instruction was told to do is in its data; what it was free to do, as far as the rules need it, in the transfers below it.

Source: programs/betting_platform/instructions.h, which a test compares with the places used here.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from incentives.reading.errors import HistoryDisagreesError, UnreadableEventError
from incentives.reading.known import Known
from incentives.unread import Unread, paying_tail, posting_tail
from programs.addresses import TOKEN_PROGRAM
from programs.event_layout import VAULT_SERIES
from programs.instructions.tags import Tag

_MARKET_AT: Final = {
    Tag.UPDATE_PRICES: 2,
    Tag.ADD_LIQUIDITY: 2,
    Tag.REMOVE_LIQUIDITY: 2,
    Tag.CLAIM_MAKER_FEES: 1,
    Tag.WITHDRAW_FEES: 2,
    Tag.SWEEP_FEES: 0,
    Tag.OPEN_POSITION: 2,
    Tag.CLOSE_POSITION: 2,
    Tag.BUY_INVENTORY: 1,
    Tag.LIQUIDATE: 2,
    Tag.OPEN_CHAIN: 2,
    Tag.CANCEL_CHAIN: 2,
    Tag.EXECUTE_CHAIN: 2,
    Tag.RESOLVE_MARKET: 2,
    Tag.REDEEM: 1,
}
"""Place of the market's account; the other instructions have none, or make it."""
_SUBJECT_AT: Final = {
    Tag.OPEN_POSITION: 5,
    Tag.CLOSE_POSITION: 5,
    Tag.REDEEM: 5,
    Tag.CANCEL_CHAIN: 6,
    Tag.EXECUTE_CHAIN: 7,
    Tag.OPEN_CHAIN: 5,
    Tag.CREATE_MARKET: 2,
    Tag.POST_EPOCH: 2,
    Tag.PAY_REWARDS: 1,
}
"""Place of the account that it acts on, where the rules ask for it."""
_MAKER_AT: Final = 5
_LIQUIDATE_TARGETS_AT: Final = 8
_PAY_TOKENS_AT: Final = 4
_ADDED: Final = struct.Struct("<xB6xQ")
_REMOVED: Final = struct.Struct("<8xQ")
_OPENED: Final = struct.Struct("<xB6xQI")
_CLOSED: Final = struct.Struct("<xB6xQ")
_HOLDING: Final = struct.Struct("<xB")
_POSTED: Final = struct.Struct("<8xQIIQ32s")
_PAID: Final = struct.Struct("<xBBxI")
_U64: Final = struct.Struct("<Q")
_TRANSFER: Final = struct.Struct("<BQ")
_TRANSFER_TAG: Final = 3
"""Source: spl-token instruction.rs, TokenInstruction::Transfer."""
_HASH_BYTES: Final = 32
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a transaction."""

    ordinal: int
    """Among all that it made, from 0, in the order in which they began."""
    outer: int
    """The transaction's own instruction under which it ran."""
    height: int
    program: bytes
    accounts: tuple[bytes, ...]
    data: bytes

    @property
    def tag(self) -> Tag:
        """Which instruction of the program it is, if it is one of the program."""
        return Tag(self.data[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known beside the logs."""

    calls: Sequence[Call]
    """All that the transaction made, in order."""
    pool_of_maker: Callable[[bytes, bytes, bytes], int | None]
    """Market, owner, maker's account -> the pool, by the seeds of its address."""


def unread_of(call: Call, evidence: Evidence, known: Known) -> Unread:
    """Return what is recorded in the place of a call's events.

    Raises:
        HistoryDisagreesError: the metadata contradicts itself, or names what no event has told of.
        UnreadableEventError: it is the genesis, without which there is no season to reckon.
    """
    try:
        return _unread_of(call, evidence, known)
    except ValueError as error:
        raise UnreadableEventError(
            f"an instruction of the program with data {call.data.hex()}: this is another version of the program than these "
            "rules are for"
        ) from error
    except (IndexError, StopIteration, struct.error) as error:
        raise HistoryDisagreesError(
            f"the metadata of a call of the program with data {call.data.hex()} is not whole: {error}"
        ) from error


def _unread_of(call: Call, evidence: Evidence, known: Known) -> Unread:
    tag = call.tag
    series = VAULT_SERIES
    if tag in _MARKET_AT:
        series = _found(known.markets, call.accounts[_MARKET_AT[tag]], "market")
    plain = Unread(
        tag=tag,
        series=series,
        signer=call.accounts[0],
        account=call.accounts[_SUBJECT_AT[tag]] if tag in _SUBJECT_AT else bytes(32),
    )
    if tag not in _DETAILS:
        return plain
    return replace(plain, **_DETAILS[tag](plain, call, evidence, known))


def _genesis(*_: object) -> dict[str, Any]:
    raise UnreadableEventError(
        "the genesis of the program cannot be read: its transaction's logs are cut, and without it there is no season"
    )


def _created(plain: Unread, _call: Call, _evidence: Evidence, known: Known) -> dict[str, Any]:
    return {"series": known.series_of_new_market(plain.account)}


def _added(_plain: Unread, call: Call, *_: object) -> dict[str, Any]:
    pool, liquidity = _ADDED.unpack_from(call.data)
    return {"part": pool, "amount": liquidity}


def _removed(plain: Unread, call: Call, evidence: Evidence, _known: Known) -> dict[str, Any]:
    market = call.accounts[_MARKET_AT[Tag.REMOVE_LIQUIDITY]]
    pool = evidence.pool_of_maker(market, plain.signer, call.accounts[_MAKER_AT])
    if pool is None:
        raise HistoryDisagreesError(
            f"the maker's account that {call.data.hex()} removes from is none of its market and owner"
        )
    return {"part": pool, "amount": _REMOVED.unpack_from(call.data)[0]}


def _opened(_plain: Unread, call: Call, *_: object) -> dict[str, Any]:
    pool, margin, leverage = _OPENED.unpack_from(call.data)
    return {"part": pool, "amount": margin * leverage}


def _closed(_plain: Unread, call: Call, *_: object) -> dict[str, Any]:
    holding, shares = _CLOSED.unpack_from(call.data)
    return {"part": holding, "amount": shares}


def _redeemed(_plain: Unread, call: Call, *_: object) -> dict[str, Any]:
    return {"part": _HOLDING.unpack_from(call.data)[0]}


def _liquidated(_plain: Unread, call: Call, *_: object) -> dict[str, Any]:
    return {"tail": b"".join(call.accounts[_LIQUIDATE_TARGETS_AT:])}


def _posted(plain: Unread, call: Call, _evidence: Evidence, known: Known) -> dict[str, Any]:
    return {
        "series": known.series_of_new_root(plain.account),
        "tail": posting_tail(*_POSTED.unpack_from(call.data)),
    }


def _paid(plain: Unread, call: Call, evidence: Evidence, known: Known) -> dict[str, Any]:
    series, epoch, index = _found(known.roots, plain.account, "reward root")
    return {"series": series, "tail": paying_tail(epoch, index, _leaves(call, evidence))}


_DETAILS: Final[dict[Tag, Callable[[Unread, Call, Evidence, Known], dict[str, Any]]]] = {
    Tag.INITIALIZE: _genesis,
    Tag.CREATE_MARKET: _created,
    Tag.ADD_LIQUIDITY: _added,
    Tag.REMOVE_LIQUIDITY: _removed,
    Tag.OPEN_POSITION: _opened,
    Tag.CLOSE_POSITION: _closed,
    Tag.REDEEM: _redeemed,
    Tag.LIQUIDATE: _liquidated,
    Tag.POST_EPOCH: _posted,
    Tag.PAY_REWARDS: _paid,
}
"""What else is known of an instruction; of the others it is enough that they ran."""


def _found(found: Mapping[bytes, _Found], account: bytes, what: str) -> _Found:
    if account not in found:
        raise HistoryDisagreesError(
            f"an instruction of the program names {what} {account.hex()}, of which no event has told"
        )
    return found[account]


def _leaves(call: Call, evidence: Evidence) -> list[tuple[int, bytes, int]]:
    """Return the leaves that were paid, and to which token accounts, by the transfers below.

    Those that were listed and paid before are passed over by the program. To whom a token account belonged right then nothing
    says for certain, for its owner may change within a transaction: who knows the tree knows the wallet.
    """
    _, mask, first = _PAID.unpack_from(call.data)
    transfers = list(_transfers(call, evidence.calls))
    paid = list[tuple[int, bytes, int]]()
    at, listed = _PAID.size, iter(call.accounts[_PAY_TOKENS_AT:])
    for number in range(1 << call.data[1]):
        if not mask >> number & 1:
            at += _HASH_BYTES
            continue
        (amount,), to = _U64.unpack_from(call.data, at), next(listed)
        at += _U64.size
        if len(paid) < len(transfers) and transfers[len(paid)] == (to, amount):
            paid.append((first + number, to, amount))
    if len(paid) != len(transfers):
        raise HistoryDisagreesError(
            f"pay_rewards transferred {len(transfers)} times, and its data explains {len(paid)} of them"
        )
    return paid


def _transfers(call: Call, calls: Sequence[Call]) -> Iterator[tuple[bytes, int]]:
    """Yield to which token account the call itself transferred how much, in order."""
    for below in calls[call.ordinal + 1 :]:
        if below.height <= call.height:
            return
        is_ours = below.height == call.height + 1 and below.program == bytes(TOKEN_PROGRAM)
        if is_ours and below.data[:1] == bytes([_TRANSFER_TAG]):
            _, amount = _TRANSFER.unpack(below.data)
            yield below.accounts[1], amount
