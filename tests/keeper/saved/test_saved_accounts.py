from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from bench._snapshot_world import States
from keeper.saved.accounts import TABLE_DTYPES, Accounts, take_accounts
from keeper.saved.content import blocks_of, gathered, read_content, write_content
from keeper.saved.curve_cash import cash_of
from keeper.saved.derivation import account_addresses, market_tokens
from keeper.saved.fields import fields_of, pool_fields
from keeper.saved.forecasts import Part, fields_in
from keeper.saved.sums import leaf_blocks
from programs import addresses
from programs.accounts import Maker, Position, Stake
from programs.layout import POOL_DTYPE, AccountKind, market_bytes
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.sum_tree import top_of

PROGRAM = bytes(range(32))
NUMBERS = st.one_of(st.just(0), st.integers(0, 2**16), st.integers(0, 2**64 - 1))


def again(accounts: Accounts, program: bytes = PROGRAM) -> Accounts:
    pieces = list(write_content(accounts, program))
    return gathered(read_content(pieces, program, accounts.raw_bytes))


def written(seed: int) -> list[tuple[bytes, bytes]]:
    """Accounts of any kind, of lengths of their kind or not, with any bytes in them."""
    draws = Random(seed)
    found = {}
    for _ in range(draws.randrange(26)):
        kind, pools = draws.choice(list(AccountKind)), draws.randrange(4)
        size = TABLE_DTYPES[kind].itemsize if kind in TABLE_DTYPES else 40
        if kind is AccountKind.MARKET:
            size = market_bytes(pools)
        body = draws.choice((bytes(size), draws.randbytes(size)))
        data = bytes([kind, 1]) + body[2:]
        if kind is AccountKind.MARKET:
            data = data[:5] + bytes([pools]) + data[6:]
        if not draws.randrange(4):
            data = data[: draws.randrange(size + 1)]
        found[draws.randbytes(32)] = data
    return list(found.items())


def test_what_the_program_wrote_comes_back_byte_for_byte(states: States, first: Accounts) -> None:
    assert sorted(again(first, states.program).pairs()) == sorted(states.first)
    assert first.raw_bytes == sum(len(one) + len(other) for one, other in states.first)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_any_accounts_at_all_come_back_byte_for_byte(seed: int) -> None:
    pairs = written(seed)
    assert sorted(again(take_accounts(pairs)).pairs()) == sorted(pairs)


def test_the_order_follows_from_the_accounts_alone(states: States, first: Accounts) -> None:
    shuffled = list(states.first)
    Random(1).shuffle(shuffled)
    other = take_accounts(shuffled)
    assert list(other.pairs()) == list(first.pairs())
    tops = {top_of(leaf_blocks(blocks_of(each)), len(each)).hash for each in (first, other)}
    assert len(tops) == 1


def test_a_changed_section_is_refused_or_other_accounts_and_never_a_traceback(
    states: States, first: Accounts
) -> None:
    pieces = list(write_content(first, states.program))
    draws = Random(2)
    refused = 0
    for _ in range(300):
        at = draws.randrange(len(pieces))
        data = bytearray(pieces[at].data)
        if not data:
            continue
        match draws.randrange(3):
            case 0:
                data[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
            case 1:
                del data[draws.randrange(len(data)) :]
            case _:
                where = draws.randrange(min(len(data), 40))
                data[where : where + 4] = draws.randbytes(4)
        rows = pieces[at].rows + draws.choice((0, 0, 0, 1, -1, 2**31))
        spoiled = [*pieces]
        spoiled[at] = type(pieces[at])(
            section=pieces[at].section, rows=max(rows, 0), data=bytes(data)
        )
        try:
            gathered(read_content(spoiled, states.program, first.raw_bytes))
        except SnapshotDamaged:
            refused += 1
    assert refused > 100


def test_sections_in_another_order_are_refused(states: States, first: Accounts) -> None:
    pieces = list(write_content(first, states.program))
    for wrong in (
        pieces[::-1],
        pieces[1:],
        pieces[:-1],
        [*pieces, pieces[-1]],
        [pieces[0], *pieces],
    ):
        with pytest.raises(SnapshotDamaged):
            gathered(read_content(wrong, states.program, 2 * first.raw_bytes))


def test_more_rows_than_were_told_of_are_refused(states: States, first: Accounts) -> None:
    pieces = list(write_content(first, states.program))
    with pytest.raises(SnapshotDamaged, match="more rows than it tells of"):
        gathered(read_content(pieces, states.program, first.raw_bytes // 2))


def test_addresses_follow_from_the_seeds_of_the_program() -> None:
    program, market, owner = (Pubkey.new_unique() for _ in range(3))
    rows = {kind: np.zeros(1, dtype) for kind, dtype in TABLE_DTYPES.items()}
    for kind in (AccountKind.POSITION, AccountKind.MAKER, AccountKind.CHAIN):
        rows[kind]["market"] = np.void(bytes(market))
    for kind in (AccountKind.POSITION, AccountKind.MAKER, AccountKind.CHAIN, AccountKind.STAKE):
        rows[kind]["owner"] = np.void(bytes(owner))
    rows[AccountKind.POSITION]["position_id"] = rows[AccountKind.CHAIN]["chain_id"] = 70_000
    rows[AccountKind.MAKER]["pool"] = 3
    rows[AccountKind.MARKET]["condition_id"] = np.void(bytes(owner))
    expected = {
        AccountKind.MARKET: addresses.market_address(program, bytes(owner)),
        AccountKind.POSITION: addresses.position_address(program, market, owner, 70_000),
        AccountKind.MAKER: addresses.maker_address(program, market, 3, owner),
        AccountKind.STAKE: addresses.stake_address(program, owner),
        AccountKind.CHAIN: addresses.chain_address(program, market, owner, 70_000),
    }
    for kind, (address, bump) in expected.items():
        rows[kind]["bump"] = bump
        assert account_addresses(kind, rows[kind], bytes(program))[0].tobytes() == bytes(address)
    tokens, bump = addresses.market_tokens_address(program, market)
    rows[AccountKind.MARKET]["tokens_bump"] = bump
    at = np.frombuffer(bytes(market), "V32")
    found = market_tokens(rows[AccountKind.MARKET], at, bytes(program))
    assert found[0].tobytes() == bytes(tokens)


def test_every_byte_of_an_account_is_in_one_column() -> None:
    for kind, dtype in TABLE_DTYPES.items():
        covered = [
            at for each in fields_of(kind) for at in range(each.offset, each.offset + each.size)
        ]
        assert sorted(covered) == list(range(dtype.itemsize))
    covered = [at for each in pool_fields() for at in range(each.offset, each.offset + each.size)]
    assert sorted(covered) == list(range(POOL_DTYPE.itemsize))
    for part in Part:
        names = [each.name for each in fields_in(part)]
        assert len(set(names)) == len(names)


def test_the_tree_has_the_accounts_in_the_order_in_which_they_are_listed(first: Accounts) -> None:
    listed = [
        address + data
        for block in blocks_of(first)
        for address, data in (
            block.others
            if block.table is None
            else [(each[:32], each[32:]) for each in block.table.joined(0, len(block.table))]
        )
    ]
    assert listed == [address + data for address, data in first.pairs()]


def test_sums_are_what_the_accounts_say(states: States, first: Accounts) -> None:
    debt = liquidity = 0
    for _, data in states.first:
        if data[0] == AccountKind.POSITION:
            debt += Position.from_bytes(data).debt
        elif data[0] == AccountKind.MAKER:
            liquidity += Maker.from_bytes(data).liquidity
        elif data[0] == AccountKind.STAKE:
            assert Stake.from_bytes(data).shares
    chains = first.tables[AccountKind.CHAIN].rows
    debt += int(chains["debt"].sum()) + int(chains["positions"]["debt"].sum())
    liquidity += int(chains["maker"]["liquidity"].sum())
    assert top_of(leaf_blocks(blocks_of(first)), len(first)).sums == (debt, liquidity, 0)


def test_a_pools_cash_is_forecast_to_a_few_units(first: Accounts) -> None:
    pools = first.tables[AccountKind.MARKET].pools
    yes, no = (np.ascontiguousarray(pools["outstanding"][:, side]) for side in (0, 1))
    forecast = cash_of(np.ascontiguousarray(pools["liquidity"]), yes, no)
    off = pools["cash"].astype(np.int64) - forecast.astype(np.int64)
    assert np.abs(off).max() < 200


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=9))
def test_any_pool_at_all_has_a_forecast(pools: list[tuple[int, int, int]]) -> None:
    columns = [np.array(column, np.uint64) for column in zip(*pools, strict=True)]
    assert len(cash_of(*columns)) == len(pools)
