"""A local network that holds the accounts of a state, as if its transactions had landed there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from solders.account import Account
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from bench._snapshot_world import States
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.server import Localnet, LocalnetConfig, serve

GONE = Account(lamports=0, data=b"", owner=SYSTEM_PROGRAM, executable=False)


def put(bank: Bank, program: bytes, accounts: list[tuple[bytes, bytes]]) -> None:
    """Let the program hold exactly these accounts, from the present slot on."""
    owner = Pubkey.from_bytes(program)
    wanted = dict(accounts)
    for address, _ in bank.program_accounts(owner):
        if bytes(address) not in wanted:
            bank.set_account(address, GONE)
    for address, data in wanted.items():
        account = Account(lamports=10**7, data=data, owner=owner, executable=False)
        bank.set_account(Pubkey.from_bytes(address), account)


@asynccontextmanager
async def network_of(states: States) -> AsyncIterator[Localnet]:
    """Serve the first of two states."""
    config = LocalnetConfig(
        port=0, bank=BankConfig(slot_ms=400, confirmed_slots=0, finality_slots=0)
    )
    async with trio.open_nursery() as nursery:
        network = await nursery.start(serve, config)
        put(network.bank, states.program, states.first)
        network.bank.advance_slot(2)
        yield network
        nursery.cancel_scope.cancel()
