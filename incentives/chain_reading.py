"""What the chain holds of MMT, finalized and at one slot: what a ledger is reconciled with.

Shell.
"""

from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey
from sqlite_utils import Database

from programs.accounts import Global, MalformedAccountError
from programs.addresses import global_address, sink_tokens_address, treasury_tokens_address
from programs.rpc import Account, Rpc
from programs.spl_token import NotTokenAccountError, decode_mint, decode_token_account


class SeasonUnreadError(Exception):
    """The chain has no such season, or its accounts cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReading:
    """MMT base units, at a slot."""

    slot: int
    """Finalized."""
    supply: int
    sink: int
    treasury: int
    posted: int
    """Of all roots that stand on chain."""


async def read_genesis(rpc: Rpc, program: Pubkey) -> Global:
    """Read the program's genesis account.

    Raises:
        RpcFailure: the cluster does not answer.
        SeasonUnreadError: the program has had no genesis there.
    """
    address = global_address(program)[0]
    return genesis_from(program, await rpc.get_account(address, "finalized"))


async def read_chain(rpc: Rpc, program: Pubkey, mint: Pubkey) -> ChainReading:
    """Read mint, sink, treasury and genesis account in one answer.

    Raises:
        RpcFailure: the cluster does not answer.
        SeasonUnreadError: an account is missing or is none of its kind.
    """
    wanted = (
        mint,
        sink_tokens_address(program)[0],
        treasury_tokens_address(program)[0],
        global_address(program)[0],
    )
    found = await rpc.get_multiple_accounts(wanted, "finalized")
    token, sink, treasury, genesis = found.accounts
    if token is None or sink is None or treasury is None:
        raise SeasonUnreadError(
            f"the MMT accounts of program {program} are missing on this cluster"
        )
    try:
        return ChainReading(
            slot=found.slot,
            supply=decode_mint(token.data).supply,
            sink=decode_token_account(sink.data).amount,
            treasury=decode_token_account(treasury.data).amount,
            posted=genesis_from(program, genesis).posted_mmt,
        )
    except NotTokenAccountError as error:
        raise SeasonUnreadError(f"the MMT accounts of program {program}: {error}") from error


def genesis_from(program: Pubkey, account: Account | None) -> Global:
    """Decode the program's genesis account.

    Raises:
        SeasonUnreadError: the program has had no genesis there, or the account is none of this version.
    """
    if account is None or account.owner != program:
        raise SeasonUnreadError(
            f"program {program} has had no genesis on this cluster: check cluster.program_id and cluster.rpc_urls"
        )
    try:
        return Global.from_bytes(account.data)
    except MalformedAccountError as error:
        raise SeasonUnreadError(
            f"the genesis account of {program} is unreadable: {error}"
        ) from error


_INSERT: Final = "INSERT INTO chain_reading (slot, read_at, supply, sink, treasury, posted) VALUES (?, ?, ?, ?, ?, ?)"


def record_reading(db: Database, reading: ChainReading, read_at: str) -> None:
    """Keep a reading beside the ledger.

    Args:
        db: the ledger, inside its writer's transaction.
        reading: what was read.
        read_at: the time of day, ISO 8601.
    """
    values = (reading.slot, read_at, reading.supply, reading.sink, reading.treasury, reading.posted)
    db.conn.execute(_INSERT, values)
