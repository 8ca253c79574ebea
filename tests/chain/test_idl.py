"""The IDL says enough for a client of one's own.

What is encoded by its description is what programs.instructions builds, and what the program stores and logs decodes by
it to what programs.accounts and programs.events read.
"""

import base64
import json
from importlib.metadata import version

import pytest
from codama_client import Client
from harness import USD, keypair
from solders.pubkey import Pubkey

from programs import accounts, addresses, events, instructions
from programs.betting_platform.build import SOURCE
from programs.betting_platform.headers import load_interface
from programs.chain_account import Step, StepKind
from programs.idl import as_text, codama
from programs.idl_types import camel
from programs.localnet.genesis import program_keypair
from programs.merkle import Batch

COMMITTED = SOURCE / "betting_platform.codama.json"
PROGRAM = program_keypair(0).pubkey()


def address(name: str) -> Pubkey:
    return keypair(name).pubkey()


OWNER, TOKENS, MARKET, POSITION, CHAIN = map(
    address, ("owner", "tokens", "market", "position", "chain")
)
CONDITION = bytes(range(32))
BY_OWNER = {"owner": OWNER, "ownerTokens": TOKENS, "market": MARKET}
TRADE = {"pool": 3, "side": 1, "positionId": 7, "margin": 5 * USD, "worstPriceE6": 600_000}

CASES = {
    "initialize": (
        instructions.initialize(
            PROGRAM,
            OWNER,
            address("quote"),
            address("mmt"),
            instructions.Authorities(
                market=address("a"),
                oracle=address("b"),
                incentives=address("c"),
                fee_treasury_owner=address("d"),
                halt=address("e"),
            ),
        ),
        {"payer": OWNER, "program": PROGRAM, "quoteMint": address("quote")}
        | {"mmtMint": address("mmt")},
        {
            "marketAuthority": address("a"),
            "oracleAuthority": address("b"),
            "incentivesAuthority": address("c"),
            "feeTreasuryOwner": address("d"),
            "haltAuthority": address("e"),
        },
    ),
    "create_market": (
        instructions.create_market(
            PROGRAM,
            OWNER,
            address("quote"),
            condition_id=CONDITION,
            outcomes=3,
            yes_token_or_hash=bytes([1] * 32),
            no_token=bytes([2] * 32),
            prices_e6=[1, 2, 3],
        ),
        {"authority": OWNER, "quoteMint": address("quote")},
        {
            "outcomes": 3,
            "conditionId": CONDITION,
            "yesTokenOrHash": bytes([1] * 32),
            "noToken": bytes([2] * 32),
            "priceE6": [1, 2, 3] + [0] * 13,
        },
    ),
    "update_prices": (
        instructions.update_prices(
            PROGRAM,
            OWNER,
            MARKET,
            price_class=1,
            publish_slot=9,
            readings=[(500_000, 10), (400_000, 20)],
        ),
        {"authority": OWNER, "market": MARKET},
        {
            "priceClass": 1,
            "pools": 2,
            "publishSlot": 9,
            "readings": [
                {"priceE6": 500_000, "bandE6": 10},
                {"priceE6": 400_000, "bandE6": 20},
            ],
        },
    ),
    "add_liquidity": (
        instructions.add_liquidity(
            PROGRAM, OWNER, TOKENS, MARKET, pool=2, liquidity=8, cash_max=9, position_id=4
        ),
        BY_OWNER,
        {"pool": 2, "positionId": 4, "liquidity": 8, "cashMax": 9}
        | {"priceMinE6": 0, "priceMaxE6": 1_000_000},
    ),
    "stake": (
        instructions.stake(PROGRAM, OWNER, TOKENS, amount=11, shares_min=10),
        {"owner": OWNER, "ownerTokens": TOKENS},
        {"amount": 11, "sharesMin": 10},
    ),
    "open_position": (
        instructions.open_position(
            PROGRAM,
            OWNER,
            TOKENS,
            MARKET,
            pool=3,
            side=accounts.Side.NO,
            position_id=7,
            margin=5 * USD,
            leverage=4,
            worst_price_e6=600_000,
            counts_trade=True,
        ),
        BY_OWNER,
        TRADE | {"leverage": 4},
    ),
    "close_position": (
        instructions.close_position(
            PROGRAM, OWNER, TOKENS, MARKET, position_id=7, has_debt=True, shares=5
        ),
        BY_OWNER | {"position": addresses.position_address(PROGRAM, MARKET, OWNER, 7)[0]},
        {"holding": 0, "worstPriceE6": 0, "shares": 5},
    ),
    "remove_liquidity": (
        instructions.remove_liquidity(
            PROGRAM, OWNER, TOKENS, MARKET, pool=2, position_id=4, liquidity=8, cash_min=7
        ),
        BY_OWNER | {"maker": addresses.maker_address(PROGRAM, MARKET, 2, OWNER)[0]},
        {"positionId": 4, "liquidity": 8, "cashMin": 7, "priceMinE6": 0, "priceMaxE6": 1_000_000},
    ),
    "claim_maker_fees": (
        instructions.claim_maker_fees(PROGRAM, OWNER, TOKENS, MARKET, pool=2),
        BY_OWNER | {"maker": addresses.maker_address(PROGRAM, MARKET, 2, OWNER)[0]},
        {},
    ),
    "withdraw_fees": (
        instructions.withdraw_fees(PROGRAM, OWNER, TOKENS, MARKET),
        {"authority": OWNER, "authorityTokens": TOKENS, "market": MARKET},
        {},
    ),
    "sweep_fees": (instructions.sweep_fees(PROGRAM, MARKET), {"market": MARKET}, {}),
    "request_unstake": (
        instructions.request_unstake(PROGRAM, OWNER, shares=9),
        {"owner": OWNER},
        {"shares": 9},
    ),
    "unstake": (
        instructions.unstake(PROGRAM, OWNER, TOKENS),
        {"owner": OWNER, "ownerTokens": TOKENS},
        {},
    ),
    "buy_inventory": (
        instructions.buy_inventory(
            PROGRAM,
            OWNER,
            TOKENS,
            MARKET,
            pool=3,
            side=accounts.Side.NO,
            position_id=7,
            shares=5,
            cost_max=6,
        ),
        BY_OWNER,
        {"pool": 3, "side": 1, "positionId": 7, "shares": 5, "costMax": 6},
    ),
    "open_chain": (
        instructions.open_chain(
            PROGRAM,
            OWNER,
            TOKENS,
            MARKET,
            chain_id=9,
            pool=1,
            side=accounts.Side.NO,
            deposit=100,
            trigger_e6=400_000,
            is_above=True,
            expiry_slot=77,
            steps=[Step(kind=StepKind.BORROW), Step(kind=StepKind.OPEN, leverage=3, limit_e6=5)],
        ),
        BY_OWNER,
        {
            "pool": 1,
            "side": 1,
            "chainId": 9,
            "deposit": 100,
            "expirySlot": 77,
            "triggerE6": 400_000,
            "isAbove": 1,
            "stepCount": 2,
            "steps": [
                {"kind": 0, "leverage": 0, "limitE6": 0},
                {"kind": 4, "leverage": 3, "limitE6": 5},
                *[{"kind": 0, "leverage": 0, "limitE6": 0}] * 3,
            ],
        },
    ),
    "cancel_chain": (
        instructions.cancel_chain(PROGRAM, OWNER, TOKENS, MARKET, CHAIN, OWNER, TOKENS),
        BY_OWNER | {"caller": OWNER, "callerTokens": TOKENS, "chain": CHAIN},
        {},
    ),
    "execute_chain": (
        instructions.execute_chain(
            PROGRAM,
            OWNER,
            TOKENS,
            MARKET,
            CHAIN,
            first_step=1,
            step_count=2,
            counts_trade=True,
        ),
        {"keeper": OWNER, "keeperTokens": TOKENS, "market": MARKET, "chain": CHAIN},
        {"firstStep": 1, "stepCount": 2},
    ),
    "post_epoch": (
        instructions.post_epoch(
            PROGRAM, OWNER, epoch=3, index=4, root=bytes([5] * 32), leaf_count=6, total=7
        ),
        {"authority": OWNER},
        {
            "epoch": 3,
            "index": 4,
            "root": Pubkey.from_bytes(bytes([5] * 32)),
            "leafCount": 6,
            "total": 7,
        },
    ),
    "resolve_market": (
        instructions.resolve_market(PROGRAM, OWNER, MARKET, payouts_e6=[400_000, 600_000]),
        {"authority": OWNER, "market": MARKET},
        {"pools": 2, "payoutE6": [400_000, 600_000]},
    ),
    "redeem": (
        instructions.redeem(PROGRAM, OWNER, OWNER, TOKENS, MARKET, POSITION, holding=1),
        BY_OWNER | {"caller": OWNER, "position": POSITION},
        {"holding": 1},
    ),
    "halt": (instructions.halt(PROGRAM, OWNER), {"authority": OWNER}, {}),
}


@pytest.fixture(scope="module")
def idl():
    return json.loads(COMMITTED.read_text())


def test_the_committed_idl_is_what_the_headers_say():
    assert COMMITTED.read_text() == as_text(
        codama(load_interface(), PROGRAM, version("betting-keeper"))
    ), "run `keeper idl > programs/betting_platform/betting_platform.codama.json`"


def test_every_instruction_that_can_be_built_is_compared():
    assert {*CASES, "liquidate", "pay_rewards"} == {s.name for s in load_interface().instructions}


@pytest.mark.parametrize("name", CASES)
def test_an_instruction_encoded_by_the_idl_is_the_one_that_is_built(idl, name):
    built, given, arguments = CASES[name]
    encoded = Client(idl).instruction(camel(name), given, arguments)
    assert encoded.data == built.data
    assert encoded.accounts == built.accounts


def test_accounts_that_follow_in_one_case_only_may_be_left_out(idl):
    built = instructions.close_position(
        PROGRAM, OWNER, TOKENS, MARKET, position_id=7, has_debt=False
    )
    encoded = Client(idl).instruction(
        "closePosition",
        BY_OWNER | {"position": built.accounts[5].pubkey},
        {"holding": 0, "worstPriceE6": 0, "shares": instructions.ALL_SHARES},
        with_optional=False,
    )
    assert encoded.data == built.data
    assert [a.pubkey for a in encoded.accounts] == [a.pubkey for a in built.accounts]


def test_any_number_of_accounts_may_follow_a_batch(idl):
    built = instructions.liquidate(PROGRAM, OWNER, TOKENS, MARKET, [POSITION, OWNER])
    given = {"keeper": OWNER, "keeperTokens": TOKENS, "market": MARKET}
    encoded = Client(idl).instruction("liquidate", given, {}, [POSITION, OWNER])
    assert encoded.data == built.data
    assert encoded.accounts[1:] == built.accounts[1:]  # the keeper pays, and is writable as such


def test_leaves_to_pay_lie_behind_the_described_data(idl):
    leaf = Batch(
        epoch=1, index=2, first_leaf=4, entries=(9, bytes(32)), wallets=(OWNER,), path=(bytes(32),)
    )
    built = instructions.pay_rewards(PROGRAM, leaf, [TOKENS])
    epoch, treasury = built.accounts[1].pubkey, built.accounts[2].pubkey
    encoded = Client(idl).instruction(
        "payRewards",
        {"epoch": epoch, "treasuryTokens": treasury},
        {"height": 1, "paidMask": 1, "firstLeaf": 4, "rest": (9).to_bytes(8, "little") + bytes(64)},
        [TOKENS],
    )
    assert encoded == built


def fields_of(value) -> dict:
    """A decoded account or event's own fields by the names of the IDL."""
    names = value if isinstance(value, dict) else value.__dataclass_fields__
    get = value.__getitem__ if isinstance(value, dict) else lambda name: getattr(value, name)
    return {camel(name): get(name) for name in names}


def test_accounts_and_events_of_a_live_platform_decode_by_the_idl_as_by_the_codec(idl, platform):
    client = Client(idl)
    market = platform.create_market("m", 500_000)
    platform.post(market, 500_000)
    user = platform.user(20_000_000)
    platform.add_liquidity(user, market, 1_000_000 * USD)
    platform.stake(user, 1_000_000 * USD)
    position_id, _ = platform.open(user, market, 100 * USD, leverage=2)
    live = {
        "global": platform.global_(),
        "vault": platform.vault(),
        "market": platform.market(market),
        "position": platform.position(user, market, position_id),
        "maker": platform.maker_of(user, market),
        "stake": platform.stake_of(user),
    }
    found = {
        "global": platform.global_address,
        "vault": platform.vault_address,
        "market": market,
        "position": platform.position_address(user, market, position_id),
        "maker": addresses.maker_address(platform.program, market, 0, user.address)[0],
        "stake": addresses.stake_address(platform.program, user.address)[0],
    }
    for kind, account in live.items():
        name, fields = client.decoded("accounts", platform.data(found[kind]))
        assert name == kind
        expected = fields_of(account)
        if kind == "market":
            (pool,), (record,) = expected.pop("pools"), fields["records"]
            assert fields["pools"] == 1
            assert {
                name: list(v) if isinstance(v, tuple) else v for name, v in fields_of(pool).items()
            }.items() <= record.items()
        assert expected.items() <= fields.items()


def test_events_decode_by_the_idl_as_by_the_codec(idl, platform, market):
    client = Client(idl)
    instruction = platform.open_instruction(platform.user(1_000), market, 100 * USD, position_id=0)
    user = platform.users[-1]
    logs = platform.try_send([instruction], [user.key]).logs()
    (data,) = events.program_data(logs, platform.program)
    (event,) = events.decode_logs(logs, platform.program)
    name, fields = client.decoded("events", data)
    assert name == camel(event.kind.name)
    head = {"series": event.series, "sequence": event.sequence, "slot": event.slot}
    assert (fields_of(event.fields) | head).items() <= fields.items()


def test_records_of_an_event_decode_by_the_idl(idl, platform, market):
    platform.warp(5)
    logs = platform.try_send(
        [
            instructions.update_prices(
                platform.program,
                platform.admin.pubkey(),
                market,
                price_class=0,
                publish_slot=platform.slot,
                readings=[(510_000, 7)],
            )
        ],
        [platform.admin],
    ).logs()
    (data,) = (
        base64.b64decode(line.removeprefix("Program data: "))
        for line in logs
        if line.startswith("Program data: ")
    )
    assert Client(idl).decoded("events", data)[1]["records"] == [{"priceE6": 510_000, "bandE6": 7}]
