"""A landed transaction taken apart: what it asked of the program, and what the program said."""

from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs.decoding import (
    Decoded,
    DecodedInstruction,
    MalformedBytesError,
    decode_event,
    decode_instruction,
)
from programs.events import MalformedEventError, program_data
from programs.interface import Interface
from programs.rpc import TransactionFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction of a transaction."""

    program: Pubkey
    decoded: DecodedInstruction | None
    """None: of another program, or not understood."""
    problem: str
    """Why an instruction of the program is not understood; empty otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """A transaction by name."""

    steps: tuple[Step, ...]
    events: tuple[Decoded, ...]
    problem: str
    """Why events are missing; empty: none are."""

    def is_of(self, program: Pubkey) -> bool:
        """Whether the program was asked for something, or said something when another program called it."""
        return bool(self.events) or any(step.program == program for step in self.steps)


def take_apart(interface: Interface, program: Pubkey, facts: TransactionFacts) -> Landed:
    """Decode what can be decoded, and say of the rest why not.

    Raises:
        MalformedBytesError: the bytes are no transaction.
    """
    try:
        transaction = VersionedTransaction.from_bytes(facts.wire)
    except ValueError as error:
        raise MalformedBytesError(
            f"found {len(facts.wire)} bytes, no transaction: {error}"
        ) from error
    message = transaction.message
    keys = [*message.account_keys, *facts.loaded]
    steps = []
    for compiled in message.instructions:
        if max([compiled.program_id_index, *compiled.accounts]) >= len(keys):
            raise MalformedBytesError(
                f"an instruction names account {max(compiled.accounts)} of {len(keys)}: "
                "the node left out the addresses of the lookup tables"
            )
        metas = [
            AccountMeta(keys[i], is_signer=False, is_writable=False) for i in compiled.accounts
        ]
        called = Instruction(keys[compiled.program_id_index], bytes(compiled.data), metas)
        steps.append(_step(interface, program, called))
    events, problem = _events(interface, program, facts.logs)
    return Landed(steps=tuple(steps), events=events, problem=problem)


def _step(interface: Interface, program: Pubkey, called: Instruction) -> Step:
    if called.program_id != program:
        return Step(program=called.program_id, decoded=None, problem="")
    try:
        decoded = decode_instruction(interface, called)
    except MalformedBytesError as error:
        return Step(program=program, decoded=None, problem=str(error))
    return Step(program=program, decoded=decoded, problem="")


def _events(
    interface: Interface, program: Pubkey, logs: tuple[str, ...]
) -> tuple[tuple[Decoded, ...], str]:
    events = []
    try:
        for data in program_data(logs, program):
            events.append(decode_event(interface, data))  # noqa: PERF401 - what came before an error counts
    except (MalformedEventError, MalformedBytesError) as error:
        return tuple(events), str(error)
    return tuple(events), ""
