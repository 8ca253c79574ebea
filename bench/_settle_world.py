"""A local network, and a database of attempts that an earlier keeper left open on it: bench.settle's other process."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from programs.localnet.bank import BankConfig
from programs.localnet.server import Localnet, LocalnetConfig, serve
from programs.outcomes import JobRef, SignedBatch, end_row, read_outcome
from programs.rpc import LatestBlockhash, SignatureStatus
from programs.transaction import Budget, compile_message, sign
from state.attempts import Attempts
from state.store import open_store

PAYER = Keypair.from_seed(bytes(range(32)))
TO = Pubkey(bytes([7] * 32))
FRESH: Final = {"fresh": 300, "unsent": 300, "undone": 100}
"""Attempts of the earlier keeper's last seconds: in a block that is not final; never sent, and still able to land; recorded as
landed in a block that a fork then took back. A hundred or so a second is what a keeper under load has open."""
OLD_PERCENT: Final = {"landed": 60, "failed": 10, "expired": 30}
"""Of the others: over long ago, in a block, in one with an error, or in none."""
FORK_BLOCKS: Final = 1
"""Only the block they are in: a blockhash that goes with the fork can never be in a block again."""
_CHUNK = 500
_LAMPORTS: Final = {
    "landed": 1_000_000,
    "failed": 10**17,
    "expired": 2_000_000,
    "fresh": 3_000_000,
    "unsent": 4_000_000,
    "undone": 5_000_000,
}
"""More than there is, to fail; different amounts, for the same bytes would be the same transaction."""


def old(count: int) -> dict[str, int]:
    """Part the attempts that are over long ago."""
    many = count - sum(FRESH.values())
    parts = {kind: many * percent // 100 for kind, percent in OLD_PERCENT.items()}
    return {**parts, "landed": parts["landed"] + many - sum(parts.values())}


def signed(network: Localnet, kind: str, number: int) -> SignedBatch:
    """Sign one transfer with the newest blockhash."""
    block = network.bank.block_at("confirmed")
    budget = Budget(cu_limit=10_000, cu_price_micro_lamports=0, loaded_bytes=32 << 10)
    lamports = _LAMPORTS[kind] + number
    params = TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=TO, lamports=lamports)
    message = compile_message(PAYER.pubkey(), [transfer(params)], budget, block.blockhash)
    return SignedBatch(
        lane="liquidations",
        jobs=(JobRef(job_id=f"{kind}:{number}", kind=kind, target="A", effect="once"),),
        transaction=sign(message, [PAYER]),
        latest=LatestBlockhash(
            blockhash=block.blockhash, last_valid_block_height=block.height + 150, slot=block.slot
        ),
        budget=budget,
    )


async def leave(network: Localnet, attempts: Attempts, kind: str, count: int) -> None:
    """Record attempts of a kind; give the chain those that reached it."""
    for start in range(0, count, _CHUNK):
        batches = [
            signed(network, kind, number) for number in range(start, min(start + _CHUNK, count))
        ]
        await _record(attempts, batches)
        if kind in {"landed", "failed", "fresh"}:
            for batch in batches:
                network.bank.send(batch.wire)
                await trio.lowlevel.checkpoint()


async def leave_undone(network: Localnet, attempts: Attempts, count: int) -> None:
    """Record attempts as landed, and let a fork take their blocks back."""
    network.bank.advance_slot(5)
    batches = [signed(network, "undone", number) for number in range(count)]
    await _record(attempts, batches)
    for batch in batches:
        network.bank.send(batch.wire)
    in_slot = SignatureStatus(slot=network.bank.slot, err=None, commitment="confirmed")
    await attempts.record_ends(
        [
            end_row(read_outcome(batch.transaction.signature, in_slot, batch.fee_bid_lamports))
            for batch in batches
        ]
    )
    network.bank.fork(FORK_BLOCKS)


async def _record(attempts: Attempts, batches: Sequence[SignedBatch]) -> None:
    async with trio.open_nursery() as nursery:
        for batch in batches:
            nursery.start_soon(attempts.record_attempt, batch)


async def main(path: Path, count: int) -> None:
    """Fill the chain and the database, say where they are, and serve until killed."""
    config = LocalnetConfig(
        port=0, bank=BankConfig(slot_ms=400), airdrops=((PAYER.pubkey(), 10**16),)
    )
    async with trio.open_nursery() as nursery:
        network: Localnet = await nursery.start(serve, config)
        async with open_store(path) as store:
            attempts = Attempts(store)
            for kind, left in old(count).items():
                await leave(network, attempts, kind, left)
            network.bank.advance_slot(200)
            await leave_undone(network, attempts, FRESH["undone"])
            await leave(network, attempts, "fresh", FRESH["fresh"])
            await leave(network, attempts, "unsent", FRESH["unsent"])
        print(json.dumps({"url": network.url}), flush=True)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
