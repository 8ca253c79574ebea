"""A chain that tells what a test wants: the few methods of `Rpc` that reading asks, over blocks made of events."""

import hashlib
import struct
from base64 import b64encode
from bisect import bisect_right

import numpy as np
import trio
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from programs.addresses import global_address
from programs.genesis import SINK_MMT, TREASURY_MMT
from programs.layout import GLOBAL_DTYPE, LAYOUT_VERSION, AccountKind
from programs.rpc import (
    Account,
    Accounts,
    AddressSignature,
    Block,
    BlockTransaction,
    TransactionFacts,
)

PROGRAM = Pubkey(bytes([9]) * 32)
OTHER = Pubkey(bytes([8]) * 32)
SENDER = Keypair.from_seed(bytes([6] * 32))


def wire_of(*programs):
    """Return a transaction that calls programs in turn."""
    steps = [Instruction(program, b"", []) for program in programs]
    return bytes(VersionedTransaction(Message(steps, SENDER.pubkey()), [SENDER]))


WIRE = wire_of(PROGRAM)


def signature_of(name):
    """Return a signature that stands for a name."""
    return Signature(hashlib.sha512(str(name).encode()).digest())


def logs_of(payloads, program=PROGRAM):
    """Return the lines of one instruction that tells events."""
    data = [f"Program data: {b64encode(payload).decode()}" for payload in payloads]
    return [f"Program {program} invoke [1]", *data, f"Program {program} success"]


class ToldChain:
    """Blocks by slot; a slot without one was skipped unless the program was not called in it."""

    def __init__(self, finalized=0):
        self.finalized = finalized
        self.blocks = {}
        self.faults = {}
        """Method -> exceptions, used up one per call."""
        self.asked = []
        self.unlisted = set()
        """Signatures that the index does not have."""

    def land(self, slot, logs, *, err=None, name=None, wire=WIRE, loaded=(), calls=None):
        """Add a transaction to the end of a slot's block."""
        block = self.blocks.setdefault(slot, [])
        signature = signature_of(name or (slot, len(block)))
        facts = TransactionFacts(
            slot=slot,
            err=err,
            fee_lamports=5_000,
            cu_used=1,
            logs=tuple(logs),
            wire=wire,
            loaded=loaded,
        )
        block.append(BlockTransaction(signature=signature, facts=facts, calls=calls))
        return signature

    def tell(self, events):
        """Land each event of a `Telling` in a transaction of its own."""
        for event in events:
            self.land(event.place.slot, logs_of([event.payload]))
            self.finalized = max(self.finalized, event.place.slot)

    async def _turn(self, method, *what):
        await trio.lowlevel.checkpoint()
        self.asked.append((method, *what))
        if queue := self.faults.get(method):
            raise queue.pop(0)

    async def get_slot(self, commitment):
        """See `Rpc`."""
        await self._turn("get_slot")
        assert commitment == "finalized"
        return self.finalized

    async def get_block(self, slot, commitment):
        """See `Rpc`."""
        await self._turn("get_block", slot)
        assert commitment == "finalized"
        if slot not in self.blocks:
            return None
        parent = max((each for each in self.blocks if each < slot), default=0)
        return Block(
            slot=slot,
            parent=parent,
            blockhash=Hash.default(),
            transactions=tuple(self.blocks[slot]),
        )

    async def get_signatures_for_address(
        self, address, *, limit, before=None, until=None, commitment, min_context_slot
    ):
        """See `Rpc`."""
        await self._turn("get_signatures_for_address", before)
        assert (address, commitment, until) == (PROGRAM, "finalized", None)
        assert min_context_slot <= self.finalized
        slots = sorted(self.blocks)
        listed = [
            AddressSignature(signature=each.signature, slot=slot, err=each.facts.err)
            for slot in reversed(slots[: bisect_right(slots, self.finalized)])
            for each in reversed(self.blocks[slot])
            if each.signature not in self.unlisted
        ]
        start = 0
        if before is not None:
            start = 1 + [each.signature for each in listed].index(before)
        return tuple(listed[start : start + limit])


MINT = Pubkey(bytes([7]) * 32)


class ToldPlatform(ToldChain):
    """A told chain on which the program had its genesis: what the follower asks besides."""

    genesis_hash = Hash(bytes([5]) * 32)
    treasury = TREASURY_MMT
    season_start_slot = 0
    confirmed = None

    async def get_genesis_hash(self):
        """See `Rpc`."""
        await self._turn("get_genesis_hash")
        return self.genesis_hash

    async def get_slot(self, commitment):
        """See `Rpc`; what is confirmed is finalized by the time it is asked again."""
        if commitment == "finalized":
            return await super().get_slot(commitment)
        await self._turn("get_slot")
        self.finalized = max(self.finalized, self.confirmed or 0)
        return self.finalized

    def _global(self):
        row = np.zeros(1, GLOBAL_DTYPE)
        row["kind"], row["version"] = AccountKind.GLOBAL, LAYOUT_VERSION
        row["season_start_slot"], row["season_slots"] = self.season_start_slot, 38_880_000
        row["mmt_mint"] = np.frombuffer(bytes(MINT), row["mmt_mint"].dtype)
        return _account(row.tobytes())

    async def get_account(self, address, commitment):
        """See `Rpc`."""
        await self._turn("get_account")
        assert (address, commitment) == (global_address(PROGRAM)[0], "finalized")
        return self._global()

    async def get_multiple_accounts(self, addresses, commitment):
        """See `Rpc`."""
        await self._turn("get_multiple_accounts")
        assert (addresses[0], commitment) == (MINT, "finalized")
        zero = bytes(32)
        mint = struct.pack("<I32sQBBI32s", 0, zero, TREASURY_MMT + SINK_MMT, 9, 1, 0, zero)
        held = [
            struct.pack("<32s32sQI32sBIQQI32s", bytes(MINT), zero, amount, *rest)
            for amount in (SINK_MMT, self.treasury)
            for rest in [(0, zero, 1, 0, 0, 0, 0, zero)]
        ]
        found = (_account(mint), *map(_account, held), self._global())
        return Accounts(slot=self.finalized, accounts=found)


def _account(data):
    return Account(owner=PROGRAM, lamports=1, data=data, is_executable=False)
