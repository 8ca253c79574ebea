import numpy as np
import pytest
import trio
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.scan import PlatformMissingError, scan
from keeper.snapshot import (
    Unreadable,
    positions_of_chains,
    take_chains,
    take_markets,
    take_positions,
)
from programs.addresses import global_address, vault_address
from programs.layout import (
    CHAIN_DTYPE,
    GLOBAL_DTYPE,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_DTYPE,
    VAULT_DTYPE,
    AccountKind,
    market_bytes,
)
from programs.localnet.bank import BankConfig
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

PROGRAM = Pubkey.from_bytes(bytes([7] * 32))


def account_bytes(dtype, kind, **fields):
    row = np.zeros(1, dtype)
    row["kind"], row["version"] = kind, 1
    for name, value in fields.items():
        row[name] = value
    return row.tobytes()


def position_bytes(**fields):
    return account_bytes(POSITION_DTYPE, AccountKind.POSITION, **fields)


def market_of(pools, **fields):
    head = account_bytes(MARKET_DTYPE, AccountKind.MARKET, pools=pools, **fields)
    prices = np.zeros(pools, POOL_DTYPE)
    prices["price_e6"] = np.arange(pools) + 1
    return head + prices.tobytes()


def address(number):
    return bytes([number] * 32)


# -- positions --


def test_malformed_positions_are_counted_and_their_neighbours_kept():
    accounts = [
        (address(1), position_bytes(shares=10)),
        (address(2), position_bytes()[:-1]),
        (address(3), b""),
        (address(4), account_bytes(POSITION_DTYPE, AccountKind.MAKER)),
        (address(5), position_bytes(version=2)),
        (address(6), position_bytes(side=2)),
        (address(7), position_bytes(margin_bps=10_001)),
        (address(8), position_bytes(shares=20)),
    ]

    rows, addresses, skipped = take_positions(accounts)

    assert rows["shares"].tolist() == [10, 20]
    assert [each.tobytes() for each in addresses] == [address(1), address(8)]
    assert skipped == {
        Unreadable.WRONG_LENGTH: 2,
        Unreadable.WRONG_KIND: 2,
        Unreadable.FIELD_OUT_OF_RANGE: 2,
    }


def test_no_positions_make_an_empty_array():
    rows, addresses, skipped = take_positions([])

    assert (len(rows), len(addresses), skipped) == (0, 0, {})


def chain_bytes(**position):
    row = np.zeros(1, CHAIN_DTYPE)
    row["kind"], row["version"] = AccountKind.CHAIN, 1
    row["positions"][0][0] = np.frombuffer(position_bytes(**position), POSITION_DTYPE)[0]
    return row.tobytes()


def test_the_leveraged_position_of_a_chain_counts_under_the_address_of_the_chain():
    chains, skipped = take_chains(
        [
            (address(1), chain_bytes(shares=10, debt=1 << 40)),
            (address(2), chain_bytes(shares=20)),
            (address(3), chain_bytes(debt=1)[:-1]),
            (address(4), account_bytes(CHAIN_DTYPE, AccountKind.CHAIN, version=2)),
        ]
    )

    rows, addresses, _ = take_positions(
        [(address(9), position_bytes(shares=5)), *positions_of_chains(chains)]
    )

    assert list(chains) == [address(1), address(2)]
    assert rows["shares"].tolist() == [5, 10]
    assert [each.tobytes() for each in addresses] == [address(9), address(1)]
    assert skipped == {Unreadable.WRONG_LENGTH: 1, Unreadable.WRONG_KIND: 1}


# -- markets --


def test_markets_of_different_sizes_keep_their_pools_and_decode_on_demand():
    sizes = {1: 1, 2: 3, 3: 1, 4: 16}

    markets, skipped = take_markets(
        [(address(n), market_of(pools, market_id=n)) for n, pools in sizes.items()]
    )

    assert not skipped
    assert len(markets) == 4
    assert {bytes(each)[0] for each in markets} == set(sizes)
    for number, pools in sizes.items():
        wanted = Pubkey.from_bytes(address(number))
        assert markets[wanted].market_id == number
        assert len(markets[wanted].pools) == pools
        row = markets.addresses.index(wanted)
        first = markets.first_pool[row]
        found = markets.pools["price_e6"][first : first + pools]
        assert found.tolist() == [pool.price_e6 for pool in markets[wanted].pools]
        assert markets[wanted] is markets[wanted]


def test_malformed_markets_are_counted():
    markets, skipped = take_markets(
        [
            (address(1), market_of(1)[:-1]),
            (address(2), market_of(2)[: market_bytes(1)]),
            (address(3), b"\3"),
            (address(4), market_of(1, version=9)),
            (address(5), market_of(0)),
            (address(6), market_of(17)),
            (address(7), market_of(1)),
        ]
    )

    assert len(markets) == 1
    assert skipped == {
        Unreadable.WRONG_LENGTH: 3,
        Unreadable.WRONG_KIND: 1,
        Unreadable.FIELD_OUT_OF_RANGE: 2,
    }


def test_markets_are_found_by_all_of_their_address():
    twin, other = address(1)[:8] + address(2)[8:], address(1)[:8] + address(3)[8:]
    markets, _ = take_markets([(address(1), market_of(1)), (twin, market_of(1))])

    asked = np.frombuffer(twin + other + address(9) + address(1), "V32")

    rows = markets.rows_of(asked).tolist()
    assert [row if row < 0 else bytes(markets.addresses[row]) for row in rows] == [
        twin,
        -1,
        -1,
        address(1),
    ]


def test_a_market_is_decoded_again_only_when_a_byte_changed():
    first, _ = take_markets([(address(n), market_of(1)) for n in (1, 2, 3)])
    before = dict(first)

    now = [(address(1), market_of(1)), (address(2), market_of(1, sigma_e6=5))]
    second, _ = take_markets(now, first)

    one, two = (Pubkey.from_bytes(address(n)) for n in (1, 2))
    assert second[one] is before[one]
    assert second[two].sigma_e6 == 5
    assert set(second) == {one, two}


# -- over a socket --


@pytest.fixture
async def network(nursery):
    config = LocalnetConfig(port=0, bank=BankConfig(finality_slots=4))
    localnet = await nursery.start(serve, config)
    async with open_rpc([localnet.url], RpcSettings()) as rpc:
        yield localnet.bank, rpc
    nursery.cancel_scope.cancel()


def place(bank, at, data, owner=PROGRAM):
    bank.set_account(at, Account(10**9, data, owner, executable=False))


async def test_a_scan_reads_the_platform_and_counts_what_it_cannot_read(network):
    bank, rpc = network
    place(
        bank,
        global_address(PROGRAM)[0],
        account_bytes(GLOBAL_DTYPE, AccountKind.GLOBAL, market_count=2),
    )
    place(bank, vault_address(PROGRAM)[0], account_bytes(VAULT_DTYPE, AccountKind.VAULT, cash=5))
    place(bank, Pubkey.from_bytes(address(1)), market_of(1))
    place(bank, Pubkey.from_bytes(address(2)), market_of(2)[:-3])
    for number in range(10, 15):
        place(bank, Pubkey.from_bytes(address(number)), position_bytes(shares=number))
    place(bank, Pubkey.from_bytes(address(20)), position_bytes(version=3))
    place(bank, Pubkey.from_bytes(address(21)), position_bytes(), owner=Pubkey.default())

    found = await scan(rpc, PROGRAM)

    assert found.global_.market_count == 2
    assert found.vault.cash == 5
    assert [bytes(each) for each in found.markets] == [address(1)]
    assert sorted(found.positions["shares"].tolist()) == [10, 11, 12, 13, 14]
    for at in range(5):
        assert bytes(found.position_address(at)) == address(int(found.positions["shares"][at]))
    assert found.skipped == {Unreadable.WRONG_LENGTH: 1, Unreadable.WRONG_KIND: 1}
    assert found.slot <= await rpc.get_slot("processed")


async def test_a_cluster_without_the_platform_is_one_clear_sentence(network):
    _, rpc = network

    with pytest.raises(PlatformMissingError, match="has no genesis account on this cluster"):
        await scan(rpc, PROGRAM)


async def test_another_layout_is_one_clear_sentence(network):
    bank, rpc = network
    place(bank, global_address(PROGRAM)[0], account_bytes(GLOBAL_DTYPE, AccountKind.VAULT))
    place(bank, vault_address(PROGRAM)[0], account_bytes(VAULT_DTYPE, AccountKind.VAULT))

    with trio.fail_after(5), pytest.raises(PlatformMissingError, match="another layout"):
        await scan(rpc, PROGRAM)
