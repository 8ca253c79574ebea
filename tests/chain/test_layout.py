"""The C is compiled with the Python's numbers as static assertions: one difference and it does not compile."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from solders.pubkey import Pubkey

from programs import accounts, errors, events, instructions, layout
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
    ("stake", "sizeof STAKE_RULES", instructions.stake(ADDRESS, ADDRESS, ADDRESS, amount=1)),
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
    lines.append(f"LAYOUT_VERSION == {layout.LAYOUT_VERSION}")
    lines += [f"MARKET_BYTES({n}) == {layout.market_bytes(n)}" for n in (1, 16)]
    return lines


def event_assertions() -> list[str]:
    names = {
        events.EventKind.BAD_DEBT_BOOKED: "event_bad_debt",
    }
    lines = [
        f"EVENT_VERSION == {events.EVENT_VERSION}",
        f"VAULT_SERIES == {events.VAULT_SERIES}u",
        f"sizeof(struct event) == {events._HEAD.size}",
    ]
    for kind, body in events._BODIES.items():
        struct = names.get(kind, f"event_{kind.name.lower()}")
        lines.append(f"EVENT_{kind.name} == {kind.value}")
        offset = events._HEAD.size
        for field, code in body:
            size = {"I": 4, "Q": 8, "32s": 32}[code]
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
