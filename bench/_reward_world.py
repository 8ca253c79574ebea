"""A local network on which rewards are owed: the program founded, wallets with and without MMT accounts, manifests of epochs.

As a process of its own, `python -m bench._reward_world FOLDER WALLETS WITHOUT SLOT_MS FINALITY`, it prints one line of JSON
once a keeper may start.
"""

import json
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from incentives.lines import Allocation, EpochClose
from incentives.manifest_folder import write_manifests
from incentives.manifests import Anchor, manifest_files
from keeper.drills.machine import real_machine
from programs.accounts import Global
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM, global_address
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.faults import FaultProfile
from programs.localnet.server import LocalnetConfig, serve

PROGRAM_KEY: Final = Keypair.from_seed(bytes([77] * 32))
PROGRAM: Final = PROGRAM_KEY.pubkey()
EPOCH_SLOTS: Final = 100
"""Of the ledger: ninety to an epoch of the program, so that many roots belong to its first."""
_TOKEN_ACCOUNT: Final = struct.Struct("<32s32s44xB56x")
_TOKEN_ACCOUNT_RENT: Final = 2_039_280
_WALLET_LAMPORTS: Final = 10_000_000
_INITIALIZED: Final = 1


def wallets_of(count: int) -> list[Keypair]:
    """Return people who are owed something, by wallet bytes."""
    made = [Keypair.from_seed(b"wallet" + i.to_bytes(26, "little")) for i in range(count)]
    return sorted(made, key=lambda wallet: bytes(wallet.pubkey()))


def network_of(
    *, slot_ms: int, finality_slots: int, faults: FaultProfile | None = None, fault_seed: int = 0
) -> LocalnetConfig:
    """Configure a network whose faucet is every authority; its faults wait until they are armed."""
    return LocalnetConfig(
        port=0,
        # A chain of its own: keepers of two campaigns side by side must not find the payer taken.
        bank=BankConfig(
            seed=real_machine().genesis_seed, slot_ms=slot_ms, finality_slots=finality_slots
        ),
        programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
        is_founded=True,
        faults=faults or FaultProfile(),
        fault_seed=fault_seed,
        is_armed=False,
    )


@dataclass(frozen=True, slots=True)
class Purse:
    """The network's side of wallets: what they own before anything is paid."""

    bank: Bank

    @property
    def mint(self) -> Pubkey:
        """Of MMT."""
        account = self.bank.account(global_address(PROGRAM)[0])
        assert account is not None, "founded at the start"
        return Global.from_bytes(account.data).mmt_mint

    def open_accounts(self, owners: Sequence[Pubkey]) -> None:
        """Give wallets empty MMT accounts."""
        mint = self.mint
        for owner in owners:
            data = _TOKEN_ACCOUNT.pack(bytes(mint), bytes(owner), _INITIALIZED)
            account = Account(lamports=_TOKEN_ACCOUNT_RENT, data=data, owner=TOKEN_PROGRAM)
            self.bank.set_account(get_associated_token_address(owner, mint), account)

    def fund(self, owners: Sequence[Pubkey]) -> None:
        """Give wallets the lamports for fees of their own."""
        for owner in owners:
            account = Account(lamports=_WALLET_LAMPORTS, data=b"", owner=SYSTEM_PROGRAM)
            self.bank.set_account(owner, account)


def owe(folder: Path, genesis_hash: str, epoch: int, owed: Sequence[tuple[Pubkey, int]]) -> None:
    """Write the manifests of an epoch that owes these amounts, by wallet bytes."""
    close = EpochClose(
        epoch=epoch,
        start_slot=epoch * EPOCH_SLOTS,
        end_slot=(epoch + 1) * EPOCH_SLOTS,
        rolled_over=0,
        emitted=sum(amount for _, amount in owed),
        claim_denominator=1,
        is_scaled=False,
        allocations=tuple(
            Allocation(wallet=str(wallet), claim_numerator=amount, amount=amount)
            for wallet, amount in owed
        ),
    )
    anchor = Anchor(
        genesis_hash=genesis_hash,
        program=PROGRAM,
        head="00" * 32,
        formula_version=1,
        rules_version=0,
    )
    write_manifests(folder, manifest_files(close, anchor, EPOCH_SLOTS))


async def _main(folder: Path, wallets: int, without: int, slot_ms: int, finality: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with trio.open_nursery() as nursery:
        network = await nursery.start(serve, network_of(slot_ms=slot_ms, finality_slots=finality))
        owners = [wallet.pubkey() for wallet in wallets_of(wallets)]
        Purse(network.bank).open_accounts(owners[: wallets - without])
        owed = [(owner, 1_000 + i) for i, owner in enumerate(owners)]
        owe(folder, str(network.bank.genesis_hash), 0, owed)
        found = {"url": network.url, "payer": list(bytes(network.bank.faucet))}
        print(json.dumps(found), flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_main, Path(sys.argv[1]), *map(int, sys.argv[2:]))
