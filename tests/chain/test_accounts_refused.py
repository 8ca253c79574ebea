"""Every account of every instruction, replaced by every wrong one: the refusal is the one that is due.

What instructions.h rules is expected from there; of the accounts that an instruction checks by itself, or leaves to the
program that it calls, the table below says what each is for. No account can be left out: the interface is read from
the program's own header.

`runtime`: the program's call of the system or token program fails, so the runtime ends the transaction. `lands`:
harmless, for the reason given beside it.
"""

import itertools

import pytest
from every_instruction import World
from solders.instruction import AccountMeta, Instruction

from programs.betting_platform.headers import load_interface
from programs.interface import InstructionShape, Role
from programs.layout import AccountKind

INTERFACE = load_interface()
STATE = {"stranger": "WRONG_OWNER", "foreign": "WRONG_OWNER", "kind": "WRONG_ACCOUNT_KIND"}
AT_ADDRESS = dict.fromkeys(["stranger", "foreign", "other mint"], "WRONG_ADDRESS")
RULED = {kind.name: STATE | {"other market": "WRONG_ADDRESS"} for kind in AccountKind} | {
    "MARKET_TOKENS": AT_ADDRESS | {"other market": "WRONG_ADDRESS"},
    "VAULT_TOKENS": AT_ADDRESS,
    "QUOTE_MINT": AT_ADDRESS,
    "TOKEN_PROGRAM": {"stranger": "WRONG_TOKEN_PROGRAM"},
}
"""By rule of instructions.h."""

AUTHORITY = {"stranger": "WRONG_AUTHORITY"}
HOLDER = AUTHORITY | {"other user": "WRONG_AUTHORITY"}
"""Whose the instruction's own account is."""
ANYBODY = {"stranger": "lands", "other user": "lands"}
"""Anyone may call it; what it pays goes to whom it is due."""
NAMED = {"stranger": "WRONG_ADDRESS", "other user": "WRONG_ADDRESS"}
"""Whose the instruction's own account is, and who need not sign; or whose address that account is derived from."""
BUYER = {"stranger": "runtime", "other user": "runtime"}
"""Has another address for what is created."""
SPENT = dict.fromkeys(["stranger", "foreign", "other user", "other mint"], "runtime")
"""Tokens that the owner's signature moves: the token program refuses others."""
GIVEN = SPENT | {"other user": "lands"}
"""Tokens to be paid to by whoever signs, who may give away what is paid to him."""
DUE = dict.fromkeys(SPENT, "WRONG_TOKEN_ACCOUNT") | {"other mint": "runtime"}
"""Tokens to be paid to by somebody else: the owner's alone, and the token program knows the mint."""
NEW = {"stranger": "runtime", "other user": "runtime", "other market": "runtime"}
"""To be created: the seeds do not sign for another address."""
ONCE = AT_ADDRESS
"""To be created at the first address of its seeds."""
OWN = STATE | {"other user": "WRONG_AUTHORITY", "other market": "WRONG_ADDRESS"}
KEPT = OWN | {"other user": "WRONG_ADDRESS"}
"""Is loaded where it exists already, and is somebody's: of another, its address is wrong."""
JOINED = KEPT | {"stranger": "runtime"}
"""The same, or to be created."""
MINT = {"stranger": "WRONG_MINT", "foreign": "WRONG_MINT"}
TARGET = dict.fromkeys([*STATE, "other market", "readonly"], "NOTHING_LIQUIDATED")
LANDS_READ_ONLY = {"readonly": "lands"}

UNRULED: dict[str, dict[str, dict[str, str]]] = {
    "initialize": {
        "payer": {"stranger": "WRONG_MINT", "readonly": "runtime"},  # the system program takes rent
        "program": {"stranger": "WRONG_ADDRESS"},
        "quote_mint": MINT,
        "mmt_mint": MINT,
    }
    | dict.fromkeys(
        ["global", "vault", "vault_tokens", "sink_tokens", "sink_owner", "treasury_tokens"], ONCE
    ),
    "create_market": {"authority": AUTHORITY, "market": ONCE, "market_tokens": ONCE},
    # The oracle may post for any market, and resolve any.
    "update_prices": {"authority": AUTHORITY, "market": {"other market": "lands"}},
    "resolve_market": {"authority": AUTHORITY, "market": {"other market": "lands"}},
    "add_liquidity": {
        "owner": NAMED,
        "owner_tokens": SPENT,
        "maker": JOINED,
        "position": NEW,
    },
    "remove_liquidity": {"owner": HOLDER, "owner_tokens": GIVEN, "position": NEW},
    "claim_maker_fees": {"owner": HOLDER, "owner_tokens": GIVEN},
    "withdraw_fees": {"authority": AUTHORITY, "authority_tokens": GIVEN},
    # Nothing is created where there is a stake already: nobody needs the system program.
    "stake": {
        "owner": NAMED,
        "owner_tokens": SPENT,
        "stake": JOINED,
        "system_program": {"stranger": "lands"},
    },
    "request_unstake": {"owner": HOLDER},
    "unstake": {"owner": HOLDER, "owner_tokens": GIVEN},
    # Of another market, the position to be created is another.
    "buy_inventory": {
        "owner": BUYER,
        "market": {"other market": "runtime"},
        "owner_tokens": SPENT,
        "position": NEW,
    },
    "open_position": {
        "owner": BUYER,
        "global": {"readonly": "GLOBAL_NOT_WRITABLE"},
        "owner_tokens": SPENT,
        "position": NEW,
    },
    "open_position-leveraged": {"vault_tokens": {"readonly": "runtime"}},
    "close_position": {"owner": HOLDER, "owner_tokens": GIVEN, "position": OWN},
    "close_position-leveraged": {"vault_tokens": {"readonly": "runtime"}},
    "close_position-chain": {"vault_tokens": {"readonly": "runtime"}},
    # Any position of the market may be liquidated, by anyone, and what is none is passed over.
    "liquidate": {
        "keeper": ANYBODY | LANDS_READ_ONLY,  # receives nothing but tokens
        "keeper_tokens": GIVEN,
        "more": TARGET | {"other user": "lands"},
    },
    "redeem": {"caller": ANYBODY, "position": KEPT, "owner": NAMED, "owner_tokens": DUE},
    "open_chain": {"owner": BUYER, "owner_tokens": SPENT, "chain": NEW},
    # Any chain may be executed, and a BORROW counts no trade.
    "execute_chain": {
        "keeper": ANYBODY,
        "global": LANDS_READ_ONLY,
        "keeper_tokens": GIVEN,
        "chain": {"other user": "lands"},
    },
    # The owner cancels: caller and owner, and both token accounts, are the same and stay writable.
    "cancel_chain": {
        "caller": dict.fromkeys(ANYBODY, "NOT_CANCELLABLE") | LANDS_READ_ONLY,
        "chain": {"other user": "NOT_CANCELLABLE"},
        "owner": NAMED | LANDS_READ_ONLY,
        "owner_tokens": DUE | LANDS_READ_ONLY,
        "caller_tokens": GIVEN | LANDS_READ_ONLY,
    },
    "cancel_chain-expired": {
        "caller": ANYBODY | {"readonly": "NOT_WRITABLE"},
        "chain": {"other user": "WRONG_ADDRESS"},
        "owner": NAMED | {"readonly": "NOT_WRITABLE"},
        "owner_tokens": DUE | {"readonly": "NOT_WRITABLE"},
        "caller_tokens": GIVEN | {"readonly": "NOT_WRITABLE"},
    },
    "post_epoch": {"authority": AUTHORITY, "epoch": ONCE},
    "pay_rewards": {
        "epoch": {"other user": "BAD_PROOF"},
        "treasury_tokens": dict.fromkeys(AT_ADDRESS, "WRONG_TOKEN_ACCOUNT"),
        "more": dict.fromkeys(SPENT, "WRONG_TOKEN_ACCOUNT")
        | {"other user": "BAD_PROOF", "readonly": "runtime"},
    },
    "halt": {"authority": AUTHORITY},
}
"""By instruction, or case of one, and account: what the rules of instructions.h do not say, or not all of."""

PAYOUTS = {
    "remove_liquidity": ["owner_tokens"],
    "claim_maker_fees": ["owner_tokens"],
    "withdraw_fees": ["authority_tokens"],
    "unstake": ["owner_tokens"],
    "close_position": ["owner_tokens"],
    "liquidate": ["keeper_tokens"],
    "execute_chain": ["keeper_tokens"],
    "cancel_chain": ["caller_tokens"],
}
"""Accounts to which whoever signs lets his own money be paid: in another's place they are a gift, and into the platform's
own tokens one that no counter has."""


def shape_of(case: str) -> InstructionShape:
    return INTERFACE.instruction(case.partition("-")[0])


def roles_of(world: World, case: str) -> list[Role]:
    """What each account of the case is, in order, by the interface."""
    shape, count = shape_of(case), len(world.right[case].accounts)
    roles = list(shape.roles)
    if shape.extra and count > len(roles):
        roles.append(shape.extra)
    if shape.more:
        more = {"rule": "ANY", "is_signer": False, "is_writable": True, "may_be_written": False}
        roles.append(Role(name="more", is_owned=False, docs=shape.more, **more))
    assert len(roles) == count
    return roles


def due(case: str, role: Role, *, may_write: bool) -> dict[str, str]:
    """The verdict on each mutation of an account, from the header's rules and the table."""
    ruled = dict(RULED.get(role.rule, {}))
    if role.name == "system_program":
        ruled["stranger"] = "runtime"
    if role.is_owned:
        ruled["other user"] = "WRONG_AUTHORITY"
    if role.is_writable or may_write:
        ruled["readonly"] = "NOT_WRITABLE"
    if role.is_signer:
        ruled["unsigned"] = "MISSING_SIGNATURE"
    name = case.partition("-")[0]
    tables = [UNRULED.get(key, {}) for key in dict.fromkeys([name, case])]
    of_role = [table[role.name] for table in tables if role.name in table]
    assert of_role or role.rule != "ANY" or role.name == "system_program", "say what it is for"
    for table in of_role:
        ruled |= table
    return ruled


VARIANTS = {
    "open_position": ("-spot", "-leveraged"),
    "close_position": ("-spot", "-leveraged", "-chain"),
    "liquidate": ("", "-chain"),
    "redeem": ("", "-chain"),
    "cancel_chain": ("", "-expired"),
}
"""Cases of one instruction that take different ways through it."""
CASES = [s.name + way for s in INTERFACE.instructions for way in VARIANTS.get(s.name, ("",))]


@pytest.fixture(scope="module")
def world():
    return World()


def test_the_table_has_every_instruction_and_no_account_that_is_none(world):
    assert set(CASES) == set(world.right)
    for key, table in UNRULED.items():
        cases = [case for case in CASES if key in (case, case.partition("-")[0])]
        names = {role.name for case in cases for role in roles_of(world, case)}
        assert set(table) <= names


@pytest.mark.parametrize("case", CASES)
def test_the_right_accounts_land(world, case):
    assert world.verdict(case, world.right[case]) == "lands"


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_account_is_refused_for_the_right_reason(world, case):
    for index, role in enumerate(roles_of(world, case)):
        meta = world.right[case].accounts[index]
        found = world.verdicts(case, world.mutations(case, index))
        expected = due(case, role, may_write=role.may_be_written and meta.is_writable)
        assert found == {name: expected.get(name) for name in found}, role.name
        flags = {"readonly": meta.is_writable, "unsigned": meta.is_signer, "stranger": True}
        assert {name for name, is_there in flags.items() if is_there} <= set(found)


@pytest.mark.parametrize("case", CASES)
def test_an_account_in_the_place_of_another_is_refused(world, case):
    good = world.right[case].accounts
    names = [role.name for role in roles_of(world, case)]
    gifts = PAYOUTS.get(case.partition("-")[0], [])
    for i, j in itertools.permutations(range(len(good)), 2):
        if good[i].pubkey == good[j].pubkey:
            continue
        writable = good[i].is_writable or good[j].is_writable
        there = AccountMeta(good[j].pubkey, good[j].is_signer, writable)
        verdict = world.verdict(case, world.changed(case, {i: there}))
        is_gift = names[i] in gifts and names[j].endswith("_tokens")
        is_unused = (case, names[i]) == ("stake", "system_program")
        assert (verdict == "lands") == (is_gift or is_unused), (names[i], names[j])


@pytest.mark.parametrize("case", CASES)
def test_two_accounts_in_each_others_places_are_refused(world, case):
    good = world.right[case].accounts
    names = [role.name for role in roles_of(world, case)]
    for i, j in itertools.combinations(range(len(good)), 2):
        writable = good[i].is_writable or good[j].is_writable
        here, there = (AccountMeta(good[k].pubkey, good[k].is_signer, writable) for k in (j, i))
        verdict = world.verdict(case, world.changed(case, {i: here, j: there}))
        assert (verdict == "lands") == (good[i].pubkey == good[j].pubkey), (names[i], names[j])


@pytest.mark.parametrize("case", CASES)
def test_a_missing_account_is_refused(world, case):
    good = world.right[case]
    for count in range(len(good.accounts)):
        few = Instruction(good.program_id, good.data, good.accounts[:count])
        assert world.verdict(case, few) == "NOT_ENOUGH_ACCOUNTS"


@pytest.mark.parametrize("case", CASES)
def test_one_account_more_changes_nothing(world, case):
    good = world.right[case]
    more = [*good.accounts, AccountMeta(world.payer, is_signer=False, is_writable=True)]
    assert world.verdict(case, Instruction(good.program_id, good.data, more)) == "lands"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("change", [-1, 1, 8])
def test_data_of_another_length_is_refused(world, case, change):
    good = world.right[case]
    data = bytes(good.data)
    data = data[:change] if change < 0 else data + bytes(change)
    verdict = world.verdict(case, Instruction(good.program_id, data, good.accounts))
    assert verdict == ("UNKNOWN_INSTRUCTION" if not data else "BAD_INSTRUCTION_DATA")


@pytest.mark.parametrize("case", CASES)
def test_a_new_account_at_a_wallet_that_signs_is_refused(world, case):
    # The signature that the seeds are to prove was there already: the wallet itself became the position.
    tables = [UNRULED.get(key, {}) for key in (case, case.partition("-")[0])]
    for index, role in enumerate(roles_of(world, case)):
        if any(table.get(role.name) in (NEW, JOINED, ONCE) for table in tables):
            wallet = AccountMeta(world.payer, is_signer=True, is_writable=True)
            assert world.verdict(case, world.changed(case, {index: wallet})) == "WRONG_ADDRESS"
