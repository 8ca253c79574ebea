"""A transaction of the program whose logs are cut -> the events before the cut, and what ran whose events nobody can read.

Core. The rule is that of log_limit.py, whatever the node keeps: from a node that keeps more, the same is read. A node that is
seen to keep less is refused.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from incentives.reading.errors import CutLogsError, HistoryDisagreesError
from incentives.reading.evidence import Call, Evidence, unread_of
from incentives.reading.known import Known
from incentives.unread import Unread
from programs.addresses import maker_address
from programs.events import Invocation, read_invocations
from programs.instructions.tags import Tag
from programs.log_limit import CUT, LOG_BYTES_MAX, byte_count, until_cut
from programs.rpc import BlockTransaction

SILENT: Final = tuple(
    bytes(Pubkey.from_string(name))
    for name in (
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    )
)
"""Precompiles: their instructions leave no line in the logs, and no program can call them. Source: agave sdk/precompiles."""
_INVOKED: Final = re.compile(r"Program \w{32,44} invoke \[\d+\]")
_INVOKED_BYTES_MAX: Final = 64
"""Of a line that says that a program was called."""
_SEVERAL_EVENTS: Final = frozenset({Tag.EXECUTE_CHAIN, Tag.CANCEL_CHAIN, Tag.LIQUIDATE, Tag.REDEEM})
"""Instructions that may tell more after an event; the others tell one, and nothing after it."""
_POOLS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One call of the program: what it is known to have told, and what is recorded of the rest."""

    outer: int
    ordinal: int
    told: tuple[bytes, ...]
    unread: Unread | None
    """None where all that it told was read."""


def calls_of_cut(transaction: BlockTransaction, program: Pubkey, known: Known) -> Iterator[Ran]:
    """Yield the program's calls of a transaction whose logs are cut, in the order in which they began.

    Args:
        transaction: it succeeded.
        program: of ours.
        known: what was made up to and with the call before; taken into account at each step.

    Raises:
        CutLogsError: the node keeps less than every node should.
        HistoryDisagreesError: it does not record what programs call, or contradicts itself.
        UnreadableEventError: what cannot be passed over.
        MalformedEventError: a line of the program's data is not base64.
    """
    calls, evidence = _evidence(transaction, program)
    _require_default_limit(transaction, len(calls))
    logs, _ = until_cut(transaction.facts.logs)
    invocations = read_invocations(logs, program)
    ours = [call for call in calls if call.program == bytes(program)]
    if len(invocations) > len(ours):
        raise HistoryDisagreesError(
            f"the logs of {transaction.signature} call the program {len(invocations)} times, its instructions {len(ours)} times"
        )
    invocations += [Invocation() for _ in ours[len(invocations) :]]
    for call, invocation in zip(ours, invocations, strict=True):
        yield Ran(
            outer=call.outer,
            ordinal=call.ordinal,
            told=tuple(invocation.told),
            unread=None if _is_whole(call, invocation) else unread_of(call, evidence, known),
        )


def _is_whole(call: Call, invocation: Invocation) -> bool:
    return invocation.has_returned or (
        bool(invocation.told) and call.data[0] not in _SEVERAL_EVENTS
    )


def _evidence(transaction: BlockTransaction, program: Pubkey) -> tuple[list[Call], Evidence]:
    facts, recorded = transaction.facts, transaction.calls
    if recorded is None:
        raise HistoryDisagreesError(
            f"the logs of {transaction.signature} in slot {facts.slot} are cut, and the endpoint does not record what "
            "programs called: use one that does"
        )
    message = VersionedTransaction.from_bytes(facts.wire).message
    keys = [bytes(key) for key in (*message.account_keys, *facts.loaded)]
    listed = list[tuple[int, int, int, tuple[int, ...], bytes]]()
    for outer, own in enumerate(message.instructions):
        if keys[own.program_id_index] in SILENT:
            continue
        listed.append((outer, 1, own.program_id_index, tuple(own.accounts), bytes(own.data)))
        listed += [
            (outer, each.height, each.program, each.accounts, each.data)
            for each in recorded.inner
            if each.outer == outer
        ]
    try:
        calls = [
            Call(
                ordinal=ordinal,
                outer=outer,
                height=height,
                program=keys[number],
                accounts=tuple(keys[account] for account in accounts),
                data=data,
            )
            for ordinal, (outer, height, number, accounts, data) in enumerate(listed)
        ]
    except IndexError as error:
        raise HistoryDisagreesError(
            f"what {transaction.signature} called names accounts that the transaction does not"
        ) from error

    return calls, Evidence(
        calls=calls,
        pool_of_maker=lambda market, owner, maker: _pool_of(program, market, owner, maker),
    )


def _pool_of(program: Pubkey, market: bytes, owner: bytes, maker: bytes) -> int | None:
    """Find the pool by the seeds of a maker's address: any bump that its owner may have chosen, the usual one first."""
    addresses = (Pubkey.from_bytes(market), Pubkey.from_bytes(owner))
    for pool in range(_POOLS_MAX):
        if bytes(maker_address(program, addresses[0], pool, addresses[1])[0]) == maker:
            return pool
    for bump in reversed(range(256)):
        for pool in range(_POOLS_MAX):
            seeds = b"maker" + market + bytes([pool]) + owner + bytes([bump])
            if hashlib.sha256(seeds + bytes(program) + b"ProgramDerivedAddress").digest() == maker:
                return pool
    return None


def _require_default_limit(transaction: BlockTransaction, calls: int) -> None:
    """Refuse logs that a node with the default limit would not have cut so.

    Messages are kept as long as they fit, after the first one that was left out as before. So where all that is kept leaves
    room for a line that says that a program was called, no such line was left out by the default limit.
    """
    facts = transaction.facts
    kept = sum(byte_count(line) for line in facts.logs if line != CUT)
    said = sum(1 for line in facts.logs if _INVOKED.fullmatch(line))
    if CUT in facts.logs and kept + _INVOKED_BYTES_MAX < LOG_BYTES_MAX and said < calls:
        raise CutLogsError(
            f"the logs of {transaction.signature} in slot {facts.slot} are cut at less than {LOG_BYTES_MAX} bytes, which "
            "every node keeps by default, and events of the program may be among what is missing: read the history from a "
            "node that keeps so much (agave-validator --log-messages-bytes-limit), named in incentives.rpc_urls; nothing "
            "is reckoned from here on until then"
        )
