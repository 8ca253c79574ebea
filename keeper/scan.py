"""Read the platform's accounts at one slot: what risk judges.

Shell. Four calls: positions and the chains that hold one, then markets, then the two singletons. Positions come first,
so that the prices they are judged at are never older than they are; the program judges again when it executes.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence

import trio
from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from keeper.snapshot import (
    Snapshot,
    Unreadable,
    positions_of_chains,
    take_chains,
    take_markets,
    take_positions,
)
from programs.accounts import Global, MalformedAccountError, Vault
from programs.addresses import global_address, vault_address
from programs.layout import AccountKind
from programs.rpc import Account, Commitment, Filter, Rpc
from programs.units import Slot


class PlatformMissingError(ClusterError):
    """The cluster has no initialized platform at this program id."""


async def scan(
    rpc: Rpc,
    program: Pubkey,
    commitment: Commitment = "processed",
    *,
    previous: Snapshot | None = None,
) -> Snapshot:
    """Read every position, the leveraged ones of chains included, every market, the genesis parameters and the vault.

    Args:
        rpc: where to read.
        program: whose accounts.
        commitment: how settled they must be.
        previous: the last snapshot; its decoded markets serve again where no byte changed.

    Raises:
        RpcFailure: the cluster did not answer.
        PlatformMissingError: there is no genesis or vault account, or it is of another layout.
    """
    found = await rpc.get_program_accounts(
        program,
        commitment,
        filters=[_of_kind(AccountKind.POSITION)],
    )
    opened = await rpc.get_program_accounts(
        program, commitment, filters=[_of_kind(AccountKind.CHAIN)]
    )
    listed = await rpc.get_program_accounts(
        program, commitment, filters=[_of_kind(AccountKind.MARKET)]
    )
    singletons = await rpc.get_multiple_accounts(
        [global_address(program)[0], vault_address(program)[0]], commitment
    )
    global_, vault = _singletons(program, singletons.accounts)
    chains, bad_chains = take_chains(opened.accounts)
    positions, addresses, bad_positions = take_positions(
        [*found.accounts, *positions_of_chains(chains)]
    )
    await trio.lowlevel.checkpoint()  # 100_000 rows take some ten milliseconds
    markets, bad_markets = take_markets(
        listed.accounts, None if previous is None else previous.markets
    )
    skipped: Counter[Unreadable] = bad_positions + bad_markets + bad_chains
    skipped[Unreadable.NO_ACCOUNT] += found.skipped + opened.skipped + listed.skipped
    skipped = +skipped
    return Snapshot(
        slot=Slot(min(found.slot, opened.slot, listed.slot, singletons.slot)),
        global_=global_,
        vault=vault,
        markets=markets,
        positions=positions,
        addresses=addresses,
        skipped=skipped,
        chains=chains,
    )


def _of_kind(kind: AccountKind) -> Filter:
    encoded = b64encode(bytes([kind])).decode()
    return {"memcmp": {"offset": 0, "bytes": encoded, "encoding": "base64"}}


def _singletons(program: Pubkey, accounts: Sequence[Account | None]) -> tuple[Global, Vault]:
    if any(account is None or account.owner != program for account in accounts):
        raise PlatformMissingError(
            f"program {program} has no genesis account on this cluster: "
            "check program_id and the RPC endpoint, or run genesis first"
        )
    first, second = (account.data for account in accounts if account is not None)
    try:
        return Global.from_bytes(first), Vault.from_bytes(second)
    except MalformedAccountError as error:
        raise PlatformMissingError(
            f"program {program} holds another layout than this keeper reads: {error}"
        ) from error
