"""What a cluster's limits leave: positions that one liquidation carries, accounts that every trade would contend for."""

from collections.abc import Sequence
from typing import Final

from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from keeper.profile.cases.trades import under_water
from keeper.profile.world import USD, User, World
from programs import addresses, instructions
from programs.transaction import LOADED_BYTES_MAX, Budget
from programs.units import (
    TRANSACTION_BYTES_MAX,
    TRANSACTION_CU_MAX,
    TRANSACTION_LOCKS_MAX,
    MicroLamports,
)

LOG_BYTES_MAX: Final = 10_000
"""After these the runtime cuts the logs, and events with them. Source: agave LOG_MESSAGES_BYTES_LIMIT."""
_FALL_E6: Final = 200_000
_COUNTED_TRADES: Final = 100
_COUNTED_USD: Final = 100
"""What counts as a trade. Source: SPEC.md section 7."""
_TABLE_PROGRAM: Final = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_TABLE_HEADER: Final = (1).to_bytes(4, "little") + b"\xff" * 8 + bytes(44)
"""A lookup table in use: discriminator, never deactivated, last extended in slot 0, no authority.

Source: solana-address-lookup-table-interface, LOOKUP_TABLE_META_SIZE is 56 bytes.
"""
_CU_PRICE: Final = MicroLamports(1)


def positions_per_tx(code: bytes) -> dict[str, int]:
    """Return the most positions that a landed transaction liquidated, without and with a lookup table."""
    return {
        "plain": _most(code, with_table=False),
        "lookup_table": _most(code, with_table=True),
    }


def shared_accounts_written(code: bytes) -> int:
    """Return how many accounts of all markets a spot trade has to write once the first 100 trades are done.

    Raises:
        ProfileError: such a trade does not land.
    """
    world = World(code)
    market, user = world.traded_market(), world.user(10_000_000)
    for _ in range(_COUNTED_TRADES):
        world.open(user, market, _COUNTED_USD * USD)
    trade, _ = world.open_instruction(user, market, USD, leverage=1, counts_trade=False)
    world.send([trade], [user.key])
    shared = {
        addresses.global_address(world.program)[0],
        addresses.vault_address(world.program)[0],
        addresses.vault_tokens_address(world.program)[0],
    }
    return sum(meta.is_writable and meta.pubkey in shared for meta in trade.accounts)


def _most(code: bytes, *, with_table: bool) -> int:
    """By bisection: what carries more than it can is refused, truncated or too long."""
    low, high = 0, TRANSACTION_LOCKS_MAX
    while high - low > 1:
        middle = (low + high) // 2
        if _carries(code, middle, with_table=with_table):
            low = middle
        else:
            high = middle
    return low


def _carries(code: bytes, count: int, *, with_table: bool) -> bool:
    """Whether a transaction of this many positions lands, liquidates every one, and tells all of it."""
    world, market, positions = under_water(code, count, fall_e6=_FALL_E6)
    keeper = world.user(0)
    batch = instructions.liquidate(world.program, keeper.address, keeper.tokens, market, positions)
    tables = [_table(world.svm, batch, keeper.address)] if with_table else []
    transaction = _signed(world, keeper, batch, tables)
    if (
        len(bytes(transaction)) > TRANSACTION_BYTES_MAX
        or _locks(transaction) > TRANSACTION_LOCKS_MAX
    ):
        return False
    before = {position: world.position(position).debt for position in positions}
    result = world.svm.send_transaction(transaction)
    if isinstance(result, FailedTransactionMetadata):
        return False
    if sum(map(len, result.logs())) > LOG_BYTES_MAX or "Log truncated" in result.logs():
        return False
    return all(_debt_left(world, position) < debt for position, debt in before.items())


def _debt_left(world: World, position: Pubkey) -> int:
    """Zero too for a position whose account is gone."""
    return world.position(position).debt if world.data(position) else 0


def _signed(
    world: World, keeper: User, batch: Instruction, tables: Sequence[AddressLookupTableAccount]
) -> VersionedTransaction:
    """Sign with the three compute-budget instructions that the keeper always sends."""
    world.svm.expire_blockhash()
    budget = Budget(
        cu_limit=TRANSACTION_CU_MAX,
        cu_price_micro_lamports=_CU_PRICE,
        loaded_bytes=LOADED_BYTES_MAX,
    )
    blockhash: Hash = world.svm.latest_blockhash()
    message = MessageV0.try_compile(
        keeper.address, [*budget.instructions(), batch], list(tables), blockhash
    )
    return VersionedTransaction(message, [keeper.key])


def _locks(transaction: VersionedTransaction) -> int:
    message = transaction.message
    assert isinstance(message, MessageV0)
    looked_up = sum(
        len(table.writable_indexes) + len(table.readonly_indexes)
        for table in message.address_table_lookups
    )
    return len(message.account_keys) + looked_up


def _table(svm: LiteSVM, batch: Instruction, payer: Pubkey) -> AddressLookupTableAccount:
    """Put a table with every account of the instruction but the payer's on the chain."""
    key = Pubkey.find_program_address([b"profile table"], _TABLE_PROGRAM)[0]
    listed = [meta.pubkey for meta in batch.accounts if meta.pubkey != payer]
    data = _TABLE_HEADER + b"".join(bytes(address) for address in listed)
    lamports = svm.minimum_balance_for_rent_exemption(len(data))
    svm.set_account(key, Account(lamports, data, _TABLE_PROGRAM))
    return AddressLookupTableAccount(key=key, addresses=listed)
