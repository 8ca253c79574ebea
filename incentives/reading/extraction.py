"""A block's transactions -> the events that the program itself logged, each at its place, and what it did where logs are cut.

Core. A transaction that failed changed nothing and told nothing. Lines that other programs log, whatever they hold, are
passed over: only what is logged while the program executes is its word.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from incentives.reading.cut_logs import SILENT, calls_of_cut
from incentives.reading.errors import HistoryDisagreesError, ReadingError, UnreadableEventError
from incentives.reading.known import TEACHING, Known
from incentives.sourced import Place, SourcedEvent
from programs.event_layout import EventKind
from programs.events import EventHead, MalformedEventError, placed_data, read_head
from programs.instructions.tags import Tag
from programs.log_limit import until_cut
from programs.rpc import Block, BlockTransaction


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event as read, with its head."""

    head: EventHead
    event: SourcedEvent

    @property
    def is_kept(self) -> bool:
        """Whether rewards may depend on it: a price is told many times a second, and they never do."""
        return self.head.kind is not EventKind.PRICES_UPDATED


@dataclass(frozen=True, slots=True)
class ReadUnread:
    """An instruction whose events nobody can read, recorded in their place."""

    touched: frozenset[int]
    """Series whose next running number may therefore be any higher one."""
    event: SourcedEvent
    is_kept: bool
    """As of the events that it stands for."""


def events_of(block: Block, program: Pubkey, known: Known) -> Iterator[ReadEvent | ReadUnread]:
    """Yield what the program told and did in a block, in order.

    Args:
        block: whole.
        program: of ours.
        known: of the blocks before; what this one makes is added.

    Raises:
        HistoryDisagreesError: the node left out what it should keep, or an event names another slot than its block's.
        UnreadableEventError: the program's logs hold what is no event of the version that is known.
    """
    name = f"Program {program} invoke ["
    for tx_index, transaction in enumerate(block.transactions):
        facts = transaction.facts
        if facts.err is not None:
            continue
        logs, is_cut = until_cut(facts.logs)
        if is_cut:
            # A cut may have taken the very line in which the program is called.
            if not _names(transaction, program):
                continue
            found = _of_cut(transaction, tx_index, program, known)
        elif any(line.startswith(name) for line in logs):
            found = _of_whole(transaction, tx_index, program)
        elif not logs and _names(transaction, program) and _speakers(transaction):
            raise HistoryDisagreesError(
                f"the logs of {transaction.signature} in slot {block.slot} are missing: the endpoint does not record "
                "them; use one that does"
            )
        else:
            continue
        for each in found:
            if each.event.payload[1] in TEACHING:
                known.learn(each.event.payload)
            yield each


def _of_whole(
    transaction: BlockTransaction, tx_index: int, program: Pubkey
) -> Iterator[ReadEvent | ReadUnread]:
    numbers = _speakers(transaction) if _has_silent(transaction) else None
    instruction, inner = -1, 0
    try:
        for invocation, payload in placed_data(transaction.facts.logs, program):
            if numbers is not None and invocation >= len(numbers):
                raise HistoryDisagreesError(
                    f"the logs of {transaction.signature} in slot {transaction.facts.slot} show more than the "
                    f"{len(numbers)} instructions that can log: ask another endpoint"
                )
            number = invocation if numbers is None else numbers[invocation]
            inner = inner + 1 if number == instruction else 0
            instruction = number
            place = Place(transaction.facts.slot, tx_index, instruction, inner)
            yield _read(transaction, place, payload)
    except MalformedEventError as error:
        raise _unreadable(transaction, error) from error


def _of_cut(
    transaction: BlockTransaction, tx_index: int, program: Pubkey, known: Known
) -> Iterator[ReadEvent | ReadUnread]:
    instruction, inner = -1, 0
    try:
        for ran in calls_of_cut(transaction, program, known):
            if ran.outer != instruction:
                instruction, inner = ran.outer, 0
            for payload in ran.told:
                place = Place(transaction.facts.slot, tx_index, instruction, inner)
                yield _read(transaction, place, payload)
                inner += 1
            if ran.unread is not None:
                place = Place(transaction.facts.slot, tx_index, instruction, inner)
                payload = ran.unread.payload(place, ran.ordinal)
                yield ReadUnread(
                    ran.unread.touched,
                    SourcedEvent(place, str(transaction.signature), payload),
                    is_kept=ran.unread.tag is not Tag.UPDATE_PRICES,
                )
                inner += 1
    except MalformedEventError as error:
        raise _unreadable(transaction, error) from error


def _read(transaction: BlockTransaction, place: Place, payload: bytes) -> ReadEvent:
    head, signature = read_head(payload), str(transaction.signature)
    if head.slot != place.slot:
        raise HistoryDisagreesError(
            f"{signature} tells an event of slot {head.slot}, its block is that of slot {place.slot}"
        )
    return ReadEvent(head, SourcedEvent(place, signature, payload))


def _unreadable(transaction: BlockTransaction, error: MalformedEventError) -> ReadingError:
    return UnreadableEventError(
        f"{transaction.signature} in slot {transaction.facts.slot}: {error}: this is another version of the program than "
        "these rules are for"
    )


def _names(transaction: BlockTransaction, program: Pubkey) -> bool:
    return bytes(program) in transaction.facts.wire or program in transaction.facts.loaded


def _has_silent(transaction: BlockTransaction) -> bool:
    """Tell whether it may have instructions that leave no line; without them, numbers in the logs are those of instructions."""
    wire = transaction.facts.wire
    return SILENT[0] in wire or SILENT[1] in wire or SILENT[2] in wire


def _speakers(transaction: BlockTransaction) -> list[int]:
    """Return the numbers of the instructions that leave a line in the logs: all but precompiles.

    A transaction may well have none of them, and whoever names our program in one has told nothing of it.
    """
    message = VersionedTransaction.from_bytes(transaction.facts.wire).message
    keys = message.account_keys
    return [
        number
        for number, compiled in enumerate(message.instructions)
        if bytes(keys[compiled.program_id_index]) not in SILENT
    ]
