"""What scripts do to the chain on other people's behalf: SOL that comes and goes, and pools that follow the oracle.

Shell, over a scene.
"""

from collections import Counter
from pathlib import Path
from typing import Final

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
