"""The C is compiled with the Python's numbers as static assertions: one difference and it does not compile."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from solders.pubkey import Pubkey

from programs import (
    accounts,
    chain_account,
    chain_steps,
    chains,
    errors,
    event_layout,
    instructions,
    layout,
    merkle,
)
from programs.betting_platform.build import _FLAGS, SOURCE

STRUCTS = {
    "global": layout.GLOBAL_DTYPE,
    "vault": layout.VAULT_DTYPE,
    "market": layout.MARKET_DTYPE,
    "pool": layout.POOL_DTYPE,
    "position": layout.POSITION_DTYPE,
    "maker": layout.MAKER_DTYPE,
    "stake": layout.STAKE_DTYPE,
    "chain_step": layout.CHAIN_STEP_DTYPE,
    "chain": layout.CHAIN_DTYPE,
    "epoch": layout.EPOCH_DTYPE,
}
ADDRESS = Pubkey.default()
AUTHORITIES = instructions.Authorities(
    market=ADDRESS, oracle=ADDRESS, incentives=ADDRESS, fee_treasury_owner=ADDRESS, halt=ADDRESS
)
OPEN = {
    "pool": 0,
    "side": accounts.Side.YES,
    "position_id": 0,
    "margin": 1,
    "worst_price_e6": 1,
    "counts_trade": False,
}
INSTRUCTIONS = [
    (
        "initialize",
        "sizeof INITIALIZE_RULES",
        instructions.initialize(ADDRESS, ADDRESS, ADDRESS, ADDRESS, AUTHORITIES),
    ),
    (
        "create_market",
        "sizeof CREATE_MARKET_RULES",
        instructions.create_market(
            ADDRESS,
            ADDRESS,
            ADDRESS,
            condition_id=bytes(32),
            outcomes=2,
            yes_token_or_hash=bytes(32),
            no_token=bytes(32),
            prices_e6=[1],
        ),
    ),
    (
        "add_liquidity",
        "sizeof ADD_LIQUIDITY_RULES",
        instructions.add_liquidity(
            ADDRESS, ADDRESS, ADDRESS, ADDRESS, pool=0, liquidity=1, cash_max=1, position_id=0
        ),
    ),
    (
        "remove_liquidity",
        "sizeof REMOVE_LIQUIDITY_RULES",
        instructions.remove_liquidity(
            ADDRESS, ADDRESS, ADDRESS, ADDRESS, pool=0, liquidity=1, position_id=0
        ),
    ),
    (
        "tag",
        "sizeof CLAIM_MAKER_FEES_RULES",
        instructions.claim_maker_fees(ADDRESS, ADDRESS, ADDRESS, ADDRESS, pool=0),
    ),
    (
        "tag",
        "sizeof WITHDRAW_FEES_RULES",
        instructions.withdraw_fees(ADDRESS, ADDRESS, ADDRESS, ADDRESS),
    ),
    ("tag", "sizeof SWEEP_FEES_RULES", instructions.sweep_fees(ADDRESS, ADDRESS)),
    ("stake", "sizeof STAKE_RULES", instructions.stake(ADDRESS, ADDRESS, ADDRESS, amount=1)),
    (
        "request_unstake",
        "sizeof REQUEST_UNSTAKE_RULES",
        instructions.request_unstake(ADDRESS, ADDRESS, shares=1),
    ),
    ("tag", "sizeof UNSTAKE_RULES", instructions.unstake(ADDRESS, ADDRESS, ADDRESS)),
    (
        "buy_inventory",
        "sizeof BUY_INVENTORY_RULES",
        instructions.buy_inventory(
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            pool=0,
            side=accounts.Side.YES,
            position_id=0,
            shares=1,
            cost_max=1,
        ),
    ),
    (
        "open_chain",
        "sizeof OPEN_CHAIN_RULES",
        instructions.open_chain(
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            chain_id=0,
            pool=0,
            side=accounts.Side.YES,
            deposit=1,
            trigger_e6=1,
            is_above=True,
            expiry_slot=1,
            steps=[],
        ),
    ),
    (
        "execute_chain",
        "sizeof EXECUTE_CHAIN_RULES",
        instructions.execute_chain(*[ADDRESS] * 5, first_step=0, step_count=1, counts_trade=False),
    ),
    ("tag", "sizeof CANCEL_CHAIN_RULES", instructions.cancel_chain(*[ADDRESS] * 7)),
    (
        "open_position",
        "sizeof OPEN_POSITION_RULES",
        instructions.open_position(ADDRESS, ADDRESS, ADDRESS, ADDRESS, leverage=1, **OPEN),
    ),
    (
        "open_position",
        "sizeof OPEN_POSITION_RULES + 1",
        instructions.open_position(ADDRESS, ADDRESS, ADDRESS, ADDRESS, leverage=2, **OPEN),
    ),
    (
        "close_position",
        "sizeof CLOSE_POSITION_RULES",
        instructions.close_position(
            ADDRESS, ADDRESS, ADDRESS, ADDRESS, position_id=0, has_debt=False
        ),
    ),
    (
        "close_position",
        "sizeof CLOSE_POSITION_RULES + 1",
        instructions.close_position(
            ADDRESS, ADDRESS, ADDRESS, ADDRESS, position_id=0, has_debt=True
        ),
    ),
    (
        "post_epoch",
        "sizeof POST_EPOCH_RULES",
        instructions.post_epoch(
            ADDRESS, ADDRESS, epoch=0, index=0, root=bytes(32), leaf_count=1, total=1
        ),
    ),
    (
        "redeem",
        "sizeof REDEEM_RULES",
        instructions.redeem(ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS),
    ),
    ("tag", "sizeof HALT_RULES", instructions.halt(ADDRESS, ADDRESS)),
]


def compile_with(assertions: list[str], folder: Path) -> str:
    """What the compiler says of program.c with these assertions added; nothing when all hold."""
    source = folder / "assertions.c"
    lines = [f'_Static_assert({a}, "{a}");' for a in assertions]
    source.write_text("\n".join([f'#include "{SOURCE}/program.c"', *lines]))
    target = folder / "assertions.o"
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *_FLAGS, "-c", str(source), "-o", str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def account_assertions() -> list[str]:
    lines = []
    for name, dtype in STRUCTS.items():
        lines.append(f"sizeof(struct {name}) == {dtype.itemsize}")
        for field, (kind, offset, *_) in dtype.fields.items():
            lines.append(f"__builtin_offsetof(struct {name}, {field}) == {offset}")
            lines.append(f"sizeof(((struct {name}*)0)->{field}) == {kind.itemsize}")
    lines += [f"KIND_{kind.name} == {kind.value}" for kind in layout.AccountKind]
    lines += [f"MARKET_{status.name} == {status.value}" for status in accounts.MarketStatus]
    lines += [f"SIDE_{side.name} == {side.value}" for side in accounts.Side]
    lines += [f"CHAIN_{status.name} == {status.value}" for status in chain_account.ChainStatus]
    lines += [f"STEP_{kind.name} == {kind.value}" for kind in chain_account.StepKind]
    lines += [
        f"CHAIN_STEPS_MAX == {chain_account.STEPS_MAX}",
        f"CHAIN_DEPOSIT_MAX == {chains.DEPOSIT_MAX}",
        f"CHAIN_LEVERAGE_MAX == {chains.OPEN_LEVERAGE_MAX}",
        f"BOUNTY_PART_BPS == {chains.BOUNTY_BPS}",
        f"ARBITRAGE_GAP_E6 == {chain_steps.ARBITRAGE_GAP_E6}",
        f"LEVERAGE_AGE_MAX_SLOTS == {chains.EXECUTION_AGE_MAX_SLOTS}",
    ]
    lines.append(f"LAYOUT_VERSION == {layout.LAYOUT_VERSION}")
    lines += [f"MARKET_BYTES({n}) == {layout.market_bytes(n)}" for n in (1, 16)]
    lines += [f"EPOCH_BYTES({n}) == {layout.epoch_bytes(n)}" for n in (1, 64, 65, 65_536)]
    lines += [
        f"LEAVES_MAX == {merkle.LEAVES_MAX}",
        f"BATCH_HEIGHT_MAX == {merkle.BATCH_HEIGHT_MAX}",
    ]
    return lines


def event_assertions() -> list[str]:
    names = {
        event_layout.EventKind.BAD_DEBT_BOOKED: "event_bad_debt",
    }
    lines = [
        f"EVENT_VERSION == {event_layout.EVENT_VERSION}",
        f"VAULT_SERIES == {event_layout.VAULT_SERIES}u",
        f"sizeof(struct event) == {event_layout.HEAD.size}",
    ]
    for kind, body in event_layout.BODIES.items():
        struct = names.get(kind, f"event_{kind.name.lower()}")
        lines.append(f"EVENT_{kind.name} == {kind.value}")
        offset = event_layout.HEAD.size
        for field, code in body:
            size = {"B": 1, "H": 2, "I": 4, "Q": 8, "32s": 32}[code]
            lines.append(f"__builtin_offsetof(struct {struct}, {field}) == {offset}")
            lines.append(f"sizeof(((struct {struct}*)0)->{field}) == {size}")
            offset += size
        lines.append(f"sizeof(struct {struct}) == {offset}")
    return lines


def instruction_assertions() -> list[str]:
    lines = [f"INSTRUCTION_{tag.name} == {tag.value}" for tag in instructions.Tag]
    for name, count, instruction in INSTRUCTIONS:
        lines.append(f"sizeof(struct {name}_data) == {len(instruction.data)}")
        lines.append(f"({count}) == {len(instruction.accounts)}")
    header = instructions.liquidate_header(ADDRESS, ADDRESS, ADDRESS, ADDRESS)
    lines.append(f"sizeof LIQUIDATE_RULES == {len(header)}")
    update = instructions.update_prices(
        ADDRESS, ADDRESS, ADDRESS, price_class=0, publish_slot=0, readings=[(1, 0), (2, 0)]
    )
    lines.append(
        f"sizeof(struct update_prices_data) + 2 * sizeof(struct reading) == {len(update.data)}"
    )
    lines.append(f"sizeof UPDATE_PRICES_RULES == {len(update.accounts)}")
    resolve = instructions.resolve_market(ADDRESS, ADDRESS, ADDRESS, payouts_e6=[1, 2])
    lines.append(f"sizeof(struct resolve_market_data) + 2 * sizeof(u32) == {len(resolve.data)}")
    lines.append(f"sizeof RESOLVE_MARKET_RULES == {len(resolve.accounts)}")
    tree = merkle.build_tree(0, 0, [merkle.Reward(wallet=ADDRESS, amount=1)])
    pay = instructions.pay_rewards(ADDRESS, tree.batch(0, 0), [])
    lines.append(f"sizeof(struct pay_rewards_data) + sizeof(u64) == {len(pay.data)}")
    lines.append(f"sizeof PAY_REWARDS_RULES == {len(pay.accounts)}")
    return lines


def error_assertions() -> list[str]:
    return [f"ERR_{name} == {error.code}" for name, error in errors.BY_NAME.items()]


def test_every_offset_size_tag_kind_and_code_of_the_python_is_the_one_of_the_c(tmp_path):
    assertions = [
        *account_assertions(),
        *event_assertions(),
        *instruction_assertions(),
        *error_assertions(),
    ]
    assert compile_with(assertions, tmp_path) == ""


def test_the_comparison_notices_a_wrong_number(tmp_path):
    said = compile_with(["sizeof(struct vault) == 177"], tmp_path)
    assert "static assertion failed" in said


@pytest.mark.parametrize("dtype", STRUCTS.values(), ids=STRUCTS)
def test_no_byte_of_an_account_is_without_a_name(dtype: np.dtype):
    at = 0
    for kind, offset, *_ in dtype.fields.values():
        assert offset == at
        at += kind.itemsize
    assert at == dtype.itemsize


def test_every_refusal_has_one_code_one_name_and_one_sentence_in_both_languages():
    header = (SOURCE / "errors.h").read_text()
    listed = re.findall(r'E\((\d+), (\w+),[\s\\]*"([^"]+)"\)', header)
    assert [(int(code), name, text) for code, name, text in listed] == [
        (code, name, text) for code, (name, text) in errors._TEXTS.items()
    ]


def test_an_exception_says_its_sentence_and_its_code():
    assert str(errors.BY_NAME["HALTED"]()) == (
        "the platform is halted for new exposure (program error 120)"
    )
    assert errors.BY_NAME["HALTED"].__name__ == "HaltedError"
    assert errors.describe(120) == "HALTED: the platform is halted for new exposure"
    assert errors.describe(1).startswith("INSUFFICIENT_FUNDS: ")
    assert errors.describe(7) == "program error 7"
