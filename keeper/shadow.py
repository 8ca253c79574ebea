"""Shadow mode: beside a keeper that works, write down what this one would have done, and what the chain did with it.

One JSON object a line. `would_send` is a transaction that this process did not send; `landed` one that somebody did, with the
instruction and the accounts by which the two can be matched; `keeper shadow FILE` matches them. Landings are found in the
history of our payers (the keeper at work) and, where that does not explain a target, in the target's own (anybody).

Shell. The file may end early, and never hurts the run.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
import trio
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.json_lines import JsonLines
from keeper.rehearsal import WouldSend, simulation_in_words
from programs.outage import Outage
from programs.rpc import AddressSignature, Rpc, RpcFailure, TransactionFacts
from programs.units import Slot
from state.progress import beat

_BYTES_MAX: Final = 1 << 30
"""A shadow that is forgotten must not fill the disk of the keeper it watches."""
_LISTED_MAX: Final = 1_000
_READ_MAX: Final = 64
"""Transactions read in one round; what is listed beyond them is counted as unread."""
_TARGETS_ASKED_MAX: Final = 16
"""Targets whose own history is asked for in one round."""
_TARGETS_WAITING_MAX: Final = 10_000
_ASK_AFTER_SLOTS: Final = 25
"""What the keeper at work did by then is in its own history."""
_HISTORY_OF_TARGET: Final = 10
log = structlog.get_logger()


def open_shadow(path: Path, *, bytes_max: int = _BYTES_MAX) -> JsonLines:
    """Open the file that a shadow writes.

    Raises:
        OSError: it cannot be opened.
    """
    return JsonLines(path, bytes_max=bytes_max, ended="shadow.ended")


@dataclass(slots=True)
class Shadow:
    """What a shadow remembers: its file, and the targets of which the chain has not told yet."""

    file: JsonLines
    program: Pubkey
    _waiting: dict[str, tuple[int, Slot]] = field(default_factory=dict)
    """Target -> the instruction's tag, and when it would have been sent."""
    unread: int = 0
    """Landings that were listed and not read."""

    def would_send(self, sent: WouldSend) -> None:
        """Write down a transaction that was not sent."""
        batch, simulation = sent.batch, sent.simulation
        slot = batch.latest.slot
        tag = tag_of(self.program, sent.instructions)
        if tag is not None and len(self._waiting) < _TARGETS_WAITING_MAX:
            for job in batch.jobs:
                self._waiting.setdefault(job.target, (tag, slot))
        self.file.write(
            {
                "kind": "would_send",
                "slot": slot,
                "lane": batch.lane,
                "tag": tag,
                "jobs": [
                    {"job": job.job_id, "target": job.target, "effect": job.effect}
                    for job in batch.jobs
                ],
                "new_jobs": sent.fresh_jobs,
                "instructions": [_instruction_json(each) for each in sent.instructions],
                "size_bytes": len(batch.wire),
                "cu_limit": batch.budget.cu_limit,
                "cu_price_micro_lamports": batch.budget.cu_price_micro_lamports,
                "fee_lamports": batch.fee_bid_lamports,
                "value_lamports": sent.value_lamports,
                "is_critical": sent.is_critical,
                "simulation": simulation_in_words(simulation),
                "cu_used": None if simulation is None else simulation.cu_used,
            }
        )

    def note_landed(self, signature: Signature, facts: TransactionFacts, *, is_ours: bool) -> None:
        """Write down a transaction that asked something of the program; its targets wait no longer."""
        message = VersionedTransaction.from_bytes(facts.wire).message
        keys = [*message.account_keys, *facts.loaded]
        for compiled in message.instructions:
            named = [keys[at] for at in compiled.accounts if at < len(keys)]
            if keys[compiled.program_id_index] != self.program or not compiled.data:
                continue
            tag = compiled.data[0]
            for address in named:
                if (waiting := self._waiting.get(str(address))) and waiting[0] == tag:
                    del self._waiting[str(address)]
            self.file.write(
                {
                    "kind": "landed",
                    "slot": facts.slot,
                    "signature": str(signature),
                    "payer": str(keys[0]),
                    "is_our_key": is_ours,
                    "tag": tag,
                    "is_error": facts.err is not None,
                    "accounts": [str(address) for address in named],
                }
            )

    def to_ask(self, slot: Slot) -> list[Pubkey]:
        """Take the targets whose own history is due."""
        due = [
            target
            for target, (_, since) in self._waiting.items()
            if since + _ASK_AFTER_SLOTS <= slot
        ][:_TARGETS_ASKED_MAX]
        for target in due:
            del self._waiting[target]
        return [Pubkey.from_string(target) for target in due]


def tag_of(program: Pubkey, instructions: Sequence[Instruction]) -> int | None:
    """Return what is asked of the program: the first byte of its first instruction; None: nothing is."""
    for instruction in instructions:
        if instruction.program_id == program and instruction.data:
            return bytes(instruction.data)[0]
    return None


async def watch_landings(
    rpc: Rpc,
    shadow: Shadow,
    payers: Sequence[Pubkey],
    from_slot: Slot,
    interval_s: float,
) -> None:
    """Write down what the keeper at work lands, and who met the targets that it did not, until cancelled."""
    outage = Outage(subject="landings")
    until: dict[Pubkey, Signature | None] = dict.fromkeys(payers)
    while True:
        beat()
        await trio.sleep(interval_s)
        try:
            slot = await rpc.get_slot("confirmed")
            for payer in payers:
                listed = await rpc.get_signatures_for_address(
                    payer, limit=_LISTED_MAX, until=until[payer]
                )
                if listed:
                    until[payer] = listed[0].signature
                await _read(
                    rpc, shadow, [each for each in listed if each.slot >= from_slot], is_ours=True
                )
            for target in shadow.to_ask(slot):
                history = await rpc.get_signatures_for_address(target, limit=_HISTORY_OF_TARGET)
                await _read(
                    rpc, shadow, [each for each in history if each.slot >= from_slot], is_ours=False
                )
        except RpcFailure as failure:
            outage.note_failure(str(failure))
        else:
            outage.note_success()


async def _read(
    rpc: Rpc, shadow: Shadow, listed: Sequence[AddressSignature], *, is_ours: bool
) -> None:
    shadow.unread += max(0, len(listed) - _READ_MAX)
    for each in listed[:_READ_MAX]:
        facts = await rpc.get_transaction(each.signature)
        if facts is None or not facts.wire:
            shadow.unread += 1
        else:
            shadow.note_landed(each.signature, facts, is_ours=is_ours)


def _instruction_json(instruction: Instruction) -> dict[str, Any]:
    return {
        "program": str(instruction.program_id),
        "accounts": [str(meta.pubkey) for meta in instruction.accounts],
        "data_sha256": hashlib.sha256(bytes(instruction.data)).hexdigest(),
    }
