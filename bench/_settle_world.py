"""A local network, and a database of attempts that an earlier keeper left open on it: bench.settle's other process."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from programs.localnet.bank import BankConfig
from programs.localnet.server import Localnet, LocalnetConfig, serve
from programs.outcomes import JobRef, SignedBatch
from programs.rpc import LatestBlockhash
from programs.transaction import Budget, compile_message, sign
from state.attempts import Attempts
from state.store import open_store

PAYER = Keypair.from_seed(bytes(range(32)))
TO = Pubkey(bytes([7] * 32))
SHARES_PERCENT = {"landed": 40, "failed": 20, "expired": 35, "unsent": 5}
"""What became of the attempts: in a block, in one with an error, gone, and still able to land though never sent."""
_CHUNK = 500
_TOO_MUCH = 10**17


def signed(network: Localnet, kind: str, number: int) -> SignedBatch:
    """Sign one transfer with the newest blockhash."""
    block = network.bank.block_at("confirmed")
    budget = Budget(cu_limit=10_000, cu_price_micro_lamports=0, loaded_bytes=32 << 10)
    lamports = _TOO_MUCH if kind == "failed" else 1_000_000
    params = TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=TO, lamports=lamports + number)
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
        if kind in {"landed", "failed"}:
            for batch in batches:
                network.bank.send(batch.wire)
                await trio.lowlevel.checkpoint()


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
            for kind in ("landed", "failed", "expired"):
                await leave(network, attempts, kind, count * SHARES_PERCENT[kind] // 100)
            network.bank.advance_slot(200)
            await leave(network, attempts, "unsent", count * SHARES_PERCENT["unsent"] // 100)
        print(json.dumps({"url": network.url}), flush=True)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
