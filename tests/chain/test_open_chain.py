"""open_chain: what is escrowed, what is refused."""

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import RuntimeRefusalError, refused

from programs import chains, errors, instructions
from programs.accounts import Side
from programs.chain_account import Chain, ChainStatus, Step, StepKind
from programs.layout import CHAIN_DTYPE


@pytest.fixture
def owner(platform):
    return platform.user()


def test_an_opened_chain_says_what_was_asked(platform, staked, owner):
    steps = (BORROW, Step(kind=StepKind.LIQUIDITY, limit_e6=7), opening(9, 600_000))
    before, expiry = platform.tokens(owner.tokens), platform.slot + 77
    chain = platform.open_chain(
        owner,
        staked,
        12_345_678_901,
        *steps,
        side=Side.NO,
        trigger_e6=321_000,
        is_above=False,
        expiry_slot=expiry,
        chain_id=5,
    )
    state = platform.chain(chain)
    assert state.steps == steps
    assert (state.status, state.next_step, state.pool, state.side) == (0, 0, 0, Side.NO)
    assert (state.trigger_e6, state.is_above, state.chain_id) == (321_000, False, 5)
    assert (state.opened_slot, state.expiry_slot) == (platform.slot, expiry)
    assert (state.deposit, state.working, state.debt) == (12_345_678_901, 12_345_678_901, 0)
    assert state.bounty == 2_469_136 == chains.bounty_of(state.deposit)
    assert state.leverage_e6 == 1_000_000
    assert before - platform.tokens(owner.tokens) == state.deposit + state.bounty
    assert platform.market(staked).escrow == state.deposit + state.bounty
    for part in (state.maker, state.position, *state.holdings):
        assert (part.market, part.owner) == (staked, owner.address)
    assert state.stake.owner == owner.address
    assert [p.side for p in (state.position, *state.holdings)] == [Side.NO, Side.YES, Side.NO]


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (BORROW, BORROW, BORROW),
        (opening(), STAKE),
        (opening(0),),
        (BORROW, BORROW, LIQUIDITY, LIQUIDITY, LIQUIDITY),
        (BORROW, BORROW, LIQUIDITY, LIQUIDITY, opening(100)),
        (opening(100),),
        (opening(101),),
        (STAKE,) * 5,
        (BORROW, BORROW, LIQUIDITY, LIQUIDITY, STAKE),
        (ARBITRAGE, LIQUIDITY, BORROW, STAKE, opening(100)),
    ],
)
def test_steps_are_refused_as_the_model_says(platform, staked, owner, steps):
    refusal = chains.plan_refusal(steps)
    if refusal is None:
        platform.open_chain(owner, staked, 10**9, *steps)
    else:
        with pytest.raises(refusal):
            platform.open_chain(owner, staked, 10**9, *steps)


def test_an_unknown_step_is_refused(platform, staked, owner):
    class Strange:
        kind, leverage, limit_e6 = 5, 0, 0

    with refused("BAD_CHAIN"):
        platform.open_chain(owner, staked, 10**9, Strange())


def test_steps_beyond_their_count_are_refused_or_unread(platform, staked, owner):
    """Five fit into the data; a count above that is no chain."""
    with refused("BAD_CHAIN"):
        platform.send(count_of_six(platform, staked, owner), [owner.key])


def count_of_six(platform, market, owner):
    good = instructions.open_chain(
        platform.program,
        owner.address,
        owner.tokens,
        market,
        chain_id=0,
        pool=0,
        side=Side.YES,
        deposit=10**9,
        trigger_e6=1_000,
        is_above=True,
        expiry_slot=platform.slot + 9,
        steps=[STAKE] * 5,
    )
    data = bytearray(good.data)
    data[6] = 6
    return type(good)(good.program_id, bytes(data), good.accounts)


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"pool": 1}, "BAD_POOL"),
        ({"side": 2}, "BAD_INSTRUCTION_DATA"),
        ({"is_above": 2}, "BAD_INSTRUCTION_DATA"),
        ({"trigger_e6": 999}, "PRICE_RANGE"),
        ({"trigger_e6": 999_001}, "PRICE_RANGE"),
        ({"expiry_slot": 0}, "CHAIN_EXPIRED"),
    ],
)
def test_terms_out_of_range_are_refused(platform, staked, owner, terms, refusal):
    with refused(refusal):
        platform.open_chain(owner, staked, 10**9, STAKE, **terms)


@pytest.mark.parametrize(("deposit", "refusal"), [(0, "ZERO_AMOUNT"), (10**17 + 1, "ARITHMETIC")])
def test_a_deposit_is_more_than_nothing_and_less_than_too_much(
    platform, staked, owner, deposit, refusal
):
    with refused(refusal):
        platform.open_chain(owner, staked, deposit, STAKE)


def test_a_deposit_that_its_owner_does_not_have_is_refused(platform, staked, owner):
    with pytest.raises((RuntimeRefusalError, errors.ProgramError)):
        platform.open_chain(owner, staked, 10**17, STAKE)


def test_an_id_in_use_is_refused_and_one_that_was_closed_is_free_again(platform, staked, owner):
    chain = platform.open_chain(owner, staked, 10**9, STAKE, chain_id=3)
    with refused("ALREADY_INITIALIZED"):
        platform.open_chain(owner, staked, 10**9, STAKE, chain_id=3)
    platform.cancel(owner, chain)
    assert platform.open_chain(owner, staked, 10**9, BORROW, chain_id=3) == chain
    assert platform.chain(chain).status is ChainStatus.RUNNING


@pytest.mark.parametrize("deposit", [1, 4_999, 5_000, 5_001, 10**16])
def test_the_bounty_is_2_bp_rounded_up(platform, staked, deposit):
    owner = platform.user(20_000_000_000)
    chain = platform.open_chain(owner, staked, deposit, STAKE)
    assert platform.chain(chain).bounty == -(-deposit // 5_000)


def test_a_chain_that_is_none_is_malformed():
    good = bytes([7, 1]) + bytes(CHAIN_DTYPE.itemsize - 2)
    for data in (b"", good[:-1], bytes([4]) + good[1:], good[:3] + b"\x09" + good[4:]):
        with pytest.raises(ValueError, match="expected"):
            Chain.from_bytes(data)
