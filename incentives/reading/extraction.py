"""A block's transactions -> the events that the program itself logged, each at its place.

Core. A transaction that failed changed nothing and told nothing. Lines that other programs log, whatever they hold, are
passed over: only what is logged while the program executes is its word.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from incentives.reading.errors import CutLogsError, HistoryDisagreesError, UnreadableEventError
from incentives.sourced import Place, SourcedEvent
from programs.event_layout import EventKind
from programs.events import (
    EventHead,
    MalformedEventError,
    TruncatedLogsError,
    placed_data,
    read_head,
)
from programs.rpc import Block, BlockTransaction

_SILENT: Final = tuple(
    bytes(Pubkey.from_string(name))
    for name in (
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    )
)
"""Precompiles: their instructions leave no line in the logs. Source: agave sdk/precompiles."""


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event as read, with its head."""

    head: EventHead
    event: SourcedEvent

    @property
    def is_kept(self) -> bool:
        """Whether rewards may depend on it: a price is told many times a second, and they never do."""
        return self.head.kind is not EventKind.PRICES_UPDATED


def events_of(block: Block, program: Pubkey) -> Iterator[ReadEvent]:
    """Yield the program's events of a block, in order.

    Raises:
        HistoryDisagreesError: the node left out logs or cut them, or an event names another slot than its block's.
        UnreadableEventError: the program's logs hold what is no event of the version that is known.
    """
    name = f"Program {program} invoke ["
    for tx_index, transaction in enumerate(block.transactions):
        facts = transaction.facts
        if facts.err is not None:
            continue
        if not facts.logs and _names(transaction, program):
            raise HistoryDisagreesError(
                f"the logs of {transaction.signature} in slot {block.slot} are missing: the endpoint does not record "
                "them; use one that does"
            )
        # A cut may have taken the very line in which the program is called.
        is_whole = "Log truncated" not in facts.logs
        if any(line.startswith(name) for line in facts.logs) or not (
            is_whole or not _names(transaction, program)
        ):
            yield from _events_of(transaction, tx_index, program)


def _events_of(
    transaction: BlockTransaction, tx_index: int, program: Pubkey
) -> Iterator[ReadEvent]:
    facts, signature = transaction.facts, str(transaction.signature)
    numbers = _instruction_numbers(transaction)
    instruction, inner = -1, 0
    try:
        for invocation, payload in placed_data(facts.logs, program):
            number = invocation if numbers is None else numbers[invocation]
            inner = inner + 1 if number == instruction else 0
            instruction = number
            head = read_head(payload)
            if head.slot != facts.slot:
                raise HistoryDisagreesError(
                    f"{signature} tells an event of slot {head.slot}, its block is that of slot {facts.slot}"
                )
            place = Place(facts.slot, tx_index, instruction, inner)
            yield ReadEvent(head, SourcedEvent(place, signature, payload))
    except TruncatedLogsError as error:
        raise CutLogsError(
            f"the logs of {signature} in slot {facts.slot} were cut, and events of the program may be among what is "
            "missing: read the history from a node that keeps whole logs (agave-validator --log-messages-bytes-limit), "
            "named in incentives.rpc_urls; nothing is reckoned from here on until then"
        ) from error
    except MalformedEventError as error:
        raise UnreadableEventError(
            f"{signature} in slot {facts.slot}: {error}: this is another version of the program than these rules are for"
        ) from error


def _names(transaction: BlockTransaction, program: Pubkey) -> bool:
    return bytes(program) in transaction.facts.wire or program in transaction.facts.loaded


def _instruction_numbers(transaction: BlockTransaction) -> list[int] | None:
    """Return the instruction of each invocation in the logs; None where they are simply the same."""
    wire = transaction.facts.wire
    if _SILENT[0] not in wire and _SILENT[1] not in wire and _SILENT[2] not in wire:
        return None
    message = VersionedTransaction.from_bytes(wire).message
    keys = message.account_keys
    return [
        number
        for number, compiled in enumerate(message.instructions)
        if bytes(keys[compiled.program_id_index]) not in _SILENT
    ]
