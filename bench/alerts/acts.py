"""What scripts do to the chain on other people's behalf: SOL that comes and goes, and pools that follow the oracle.

Shell, over a scene.
"""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from bench.alerts.scene import Scene, write_key
from keeper.drills.platform import PROGRAM
from keeper.drills.world import World
from keeper.sandbox.cast import Role
from keeper.sandbox.floor import Floor
from keeper.sandbox.trading import arbitrate
from keeper.sandbox.written_orders import instructions_of
from programs.accounts import Vault
from programs.addresses import SYSTEM_PROGRAM, vault_address
from programs.localnet.bank import Bank

LIQUIDATOR: Final = Keypair.from_seed(b"pays for liquidations alone.....")
LIQUIDATOR_FILE: Final = "liquidator.json"
WELL_LAMPORTS: Final = 1_000_000_000
_REFUSAL: Final = "unknown_code"
_REFUSALS_READY: Final = 64
"""More than are asked for within a quarter of a slot; so many more are refused after the end."""
_FIRST_ID: Final = 1_000
"""Of positions: above those that founding opened."""


def give_liquidator_a_key(world: World, folder: Path) -> None:
    """Let liquidations be paid for by a key of their own, which has one SOL."""
    write_key(folder / LIQUIDATOR_FILE, LIQUIDATOR)
    set_lamports(world.localnet.bank, LIQUIDATOR.pubkey(), WELL_LAMPORTS)


def set_lamports(bank: Bank, owner: Pubkey, lamports: int) -> None:
    """Let a wallet have so much from now on."""
    bank.set_account(owner, Account(lamports=lamports, data=b"", owner=SYSTEM_PROGRAM))


def vault_of(scene: Scene) -> Vault:
    """Return the vault as it is now."""
    account = scene.bank.account(vault_address(PROGRAM)[0])
    assert account is not None, "founding made it"
    return Vault.from_bytes(account.data)


async def arbitrate_all(scene: Scene) -> None:
    """Let the arbitrageur bring every pool to its oracle's price."""
    (actor,) = scene.cast.of(Role.ARBITRAGEUR)
    ids: Counter[Pubkey] = Counter({actor.address: _FIRST_ID})
    for number, place in enumerate(scene.world.platform.places):
        floor = Floor(
            slot=scene.bank.slot,
            address=place.address,
            market=scene.stage.market(number),
            vault=vault_of(scene),
            held=(),
        )
        for order in arbitrate(actor, floor):
            built = instructions_of(order, PROGRAM, ids, counts_trade=True)
            await scene.land((built, [actor.key]))


@contextmanager
def refusing(scene: Scene, method: str) -> Generator[None]:
    """Let the keeper's node refuse a method, as public endpoints do with costly ones, until the block ends."""
    trouble, asked = scene.world.localnet.trouble, 0
    over = trio.CancelScope()

    async def refuse() -> None:
        nonlocal asked
        with over:
            while True:
                waiting = asked - trouble.tally[f"reply.{_REFUSAL}"]
                for _ in range(_REFUSALS_READY - waiting):
                    trouble.asked.spoil_next(_REFUSAL, method=method, is_done=False)
                    asked += 1
                await trio.sleep(scene.stage.settings.slot_s / 4)

    scene.nursery.start_soon(refuse)
    try:
        yield
    finally:
        over.cancel(reason="it is mended")
