"""Chains: opened, executed whole, cancelled."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final, NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.profile.call import Call
from keeper.profile.cases.lending import busy_world
from keeper.profile.world import USD
from programs import addresses, instructions
from programs.accounts import Side
from programs.chain_account import Step, StepKind

_TRIGGER_E6: Final = 1_000
"""The oracle is always above it."""
_LOCK_SLOTS: Final = 151
"""After so many slots what a step locked is free."""
_BORROW: Final = Step(kind=StepKind.BORROW)
_LIQUIDITY: Final = Step(kind=StepKind.LIQUIDITY, limit_e6=1_000_000)
_STAKE: Final = Step(kind=StepKind.STAKE)
_ARBITRAGE: Final = Step(kind=StepKind.ARBITRAGE, limit_e6=1_000_000)


class Shape(NamedTuple):
    """A kind of chain, and the market that it meets."""

    case: str
    price_e6: int
    pushed_usd: int
    """What somebody spent on the other side: leaves the chain's side cheap enough for an arbitrage."""
    steps: tuple[Step, ...]


def _opening(leverage: int) -> Step:
    return Step(kind=StepKind.OPEN, leverage=leverage, limit_e6=1_000_000)


SHAPES: Final = [
    Shape(*shape)
    for shape in (
        ("every kind", 500_000, 14_000, (_BORROW, _LIQUIDITY, _STAKE, _ARBITRAGE, _opening(3))),
        ("no arbitrage", 500_000, 0, (_BORROW, _LIQUIDITY, _STAKE, _ARBITRAGE, _opening(3))),
        ("two borrows", 500_000, 0, (_BORROW, _BORROW, _LIQUIDITY, _STAKE, _opening(2))),
        ("at 0.9", 900_000, 4_000, (_BORROW, _LIQUIDITY, _STAKE, _ARBITRAGE, _opening(4))),
        ("at 0.2", 200_000, 40_000, (_BORROW, _LIQUIDITY, _STAKE, _ARBITRAGE, _opening(2))),
        ("no debt", 500_000, 14_000, (_LIQUIDITY, _ARBITRAGE, _STAKE, _LIQUIDITY, _opening(1))),
    )
]


class Stage:
    """A busy world; every chain gets a market of its own, so that none meets another's limits."""

    def __init__(self, code: bytes) -> None:
        self.world, self.owner = busy_world(code)
        self.keeper = self.world.user(0)

    def market(self, shape: Shape) -> Pubkey:
        """Create a market as a shape wants it."""
        market = self.world.traded_market(shape.price_e6)
        if shape.pushed_usd:
            self.world.open(self.owner, market, shape.pushed_usd * USD, side=Side.NO)
        return market

    def opening(
        self, market: Pubkey, steps: Sequence[Step], deposit: int
    ) -> tuple[Instruction, Pubkey]:
        """Build `open_chain` of the next chain, and return its address too."""
        world, owner = self.world, self.owner
        chain_id = owner.take_id()
        opened = instructions.open_chain(
            world.program,
            owner.address,
            owner.tokens,
            market,
            chain_id=chain_id,
            pool=0,
            side=Side.YES,
            deposit=deposit,
            trigger_e6=_TRIGGER_E6,
            is_above=True,
            expiry_slot=world.slot + 1_000_000,
            steps=steps,
        )
        address = addresses.chain_address(world.program, market, owner.address, chain_id)[0]
        return opened, address

    def open(self, market: Pubkey, steps: Sequence[Step], deposit: int) -> Pubkey:
        """Open a chain, which is due at once."""
        opened, chain = self.opening(market, steps, deposit)
        self.world.send([opened], [self.owner.key])
        return chain

    def execution(self, market: Pubkey, chain: Pubkey, step_count: int) -> Instruction:
        """Build the execution of a chain's first steps, by the stage's keeper."""
        return instructions.execute_chain(
            self.world.program,
            self.keeper.address,
            self.keeper.tokens,
            market,
            chain,
            first_step=0,
            step_count=step_count,
            counts_trade=True,
        )

    def cancelling(self, market: Pubkey, chain: Pubkey, case: str) -> Call:
        """Let the owner cancel a chain."""
        owner = self.owner
        cancel = instructions.cancel_chain(
            self.world.program,
            owner.address,
            owner.tokens,
            market,
            chain,
            owner.address,
            owner.tokens,
        )
        return Call(world=self.world, instruction=cancel, signers=[owner.key], case=case)


def open_chain(code: bytes) -> Iterator[Call]:
    """Chains of one step and of five."""
    stage = Stage(code)
    market = stage.market(SHAPES[0])
    for number in count():
        shape = SHAPES[number % len(SHAPES)]
        steps = shape.steps if number % 2 else (_opening(2),)
        opened, _ = stage.opening(market, steps, 1_000 * USD + number)
        case = f"{len(steps)} step{'s' if len(steps) > 1 else ''}"
        yield Call(world=stage.world, instruction=opened, signers=[stage.owner.key], case=case)


def execute_chain(code: bytes) -> Iterator[Call]:
    """All five steps in one transaction."""
    stage = Stage(code)
    for number in count():
        shape = SHAPES[number % len(SHAPES)]
        market = stage.market(shape)
        chain = stage.open(market, shape.steps, (1_000 * USD, 777_777_777)[number % 2])
        yield Call(
            world=stage.world,
            instruction=stage.execution(market, chain, len(shape.steps)),
            signers=[stage.keeper.key],
            case=shape.case,
        )


def cancel_chain(code: bytes) -> Iterator[Call]:
    """A chain that has not begun; one that has borrowed, provided and staked, at once and after its locks."""
    stage = Stage(code)
    steps = (_BORROW, _LIQUIDITY, _STAKE, _opening(1))
    while True:
        market = stage.market(SHAPES[1])
        fresh = stage.open(market, steps, 1_000 * USD)
        yield stage.cancelling(market, fresh, "not begun")
        chain = stage.open(market, steps, 1_000 * USD)
        stage.world.send([stage.execution(market, chain, 3)], [stage.keeper.key])
        yield stage.cancelling(market, chain, "repay and ask for the stake")
        stage.world.warp(_LOCK_SLOTS)
        yield stage.cancelling(market, chain, "stake and liquidity")
