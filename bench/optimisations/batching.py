"""Batching by kind of instruction: what the first of a batch costs, what each further one adds, what that saves.

The compute units are the program's own, measured in the SVM; transactions are those that the keeper's packers make. What a
block is charged for includes signature, locks and loading, which a transaction pays once whatever it carries.

Pays for all three kinds; the program's own units are the smaller part of it.
"""

import statistics
from dataclasses import dataclass
from typing import Any, Final

from solders.hash import Hash
from solders.pubkey import Pubkey

from bench.packing import scene
from bench.report.figure import Beside, Figure
from keeper.chain_batches import Desk
from keeper.chain_plan import EXECUTE, Portion, bounty_of_steps
from keeper.profile.cases.chains import SHAPES, Stage
from keeper.profile.figures import InstructionFigures
from keeper.profile.measure import committed_code, measure
from keeper.profile.table import CASES
from keeper.profile.world import USD
from programs.chain_account import Chain
from programs.instructions import execute_chain
from programs.localnet.locks import LookupTables
from programs.localnet.weights import weigh
from programs.pack import Batch, pack_targets
from programs.transaction import Budget, compile_message, whole_pages
from programs.units import SIGNATURE_FEE_LAMPORTS, MicroLamports

LIQUIDATIONS: Final = 10_000
MARKETS: Final = 100
REWARDS: Final = 10_000
CHAINS: Final = 500
"""Source: SPEC.md section 8."""
_SAMPLES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """An instruction that takes several: what one costs, what several cost together."""

    name: str
    one: str
    """What it takes several of."""
    alone_cu: float
    several: int
    several_cu: float

    @property
    def marginal_cu(self) -> float:
        return (self.several_cu - self.alone_cu) / (self.several - 1)

    def figures(self) -> list[Figure]:
        base = self.alone_cu - self.marginal_cu
        alone = Beside(name=f"a transaction for each {self.one}", value=self.alone_cu)
        return [
            Figure(name=f"{self.name}: base", unit="CU", runs=(base,)),
            Figure(
                name=f"{self.name}: each {self.one}",
                unit="CU",
                runs=(self.marginal_cu,),
                baseline=alone,
            ),
        ]


def measured(runs: int) -> list[Figure]:
    """Measure the program, pack, and say what is saved."""
    del runs  # compute units are the same in every run
    code = committed_code()
    found = {
        name: measure(name, CASES[name], _SAMPLES, code, None)
        for name in ("liquidate", "pay_rewards")
    }
    chains = _Chains(code)
    kinds = (
        _of_cases(
            "liquidate", "position", found["liquidate"], ("1 position", 1), ("20 positions", 20)
        ),
        _of_cases("pay_rewards", "leaf", found["pay_rewards"], ("1 leaf", 1), ("8 leaves", 8)),
        chains.kind(),
    )
    return [
        *(figure for kind in kinds for figure in kind.figures()),
        *_liquidations(),
        *chains.transactions(),
        _saved(f"transactions for {REWARDS:,} rewards", -(-REWARDS // 8), REWARDS, "one leaf each"),
    ]


def _of_cases(
    name: str,
    one: str,
    figures: InstructionFigures,
    alone: tuple[str, int],
    several: tuple[str, int],
) -> _Kind:
    return _Kind(
        name=name,
        one=one,
        alone_cu=figures.cases[alone[0]].median,
        several=several[1],
        several_cu=figures.cases[several[0]].median,
    )


def _liquidations() -> list[Figure]:
    """Pack liquidations of many markets, and each by itself."""
    found = scene(LIQUIDATIONS, MARKETS)
    packing = pack_targets(found.jobs, found.templates, found.payer)
    (alone,) = pack_targets(found.jobs[:1], found.templates, found.payer).batches
    charged = sum(_charged(found.payer, batch) for batch in packing.batches)
    what = f"{LIQUIDATIONS:,} liquidations in {MARKETS} markets"
    naive = LIQUIDATIONS * _charged(found.payer, alone)
    return [
        _saved(f"transactions for {what}", len(packing.batches), LIQUIDATIONS, "one position each"),
        _saved(f"charged by blocks for {what}", charged, naive, "one position each", unit="CU"),
        _saved(
            f"base fees for {what}",
            len(packing.batches) * SIGNATURE_FEE_LAMPORTS,
            LIQUIDATIONS * SIGNATURE_FEE_LAMPORTS,
            "one position each",
            unit="lamports",
        ),
    ]


def _saved(name: str, after: float, before: float, how: str, unit: str = "") -> Figure:
    beside = Beside(name=how, value=before)
    return Figure(name=name, unit=unit, runs=(after,), baseline=beside)


def _charged(payer: Pubkey, batch: Batch[Any]) -> int:
    """What a block is charged for a packed transaction that uses all it asks for."""
    budget = Budget(
        cu_limit=batch.cu,
        cu_price_micro_lamports=MicroLamports(0),
        loaded_bytes=whole_pages(batch.loaded_bytes),
    )
    message = compile_message(payer, batch.instructions, budget, Hash.default())
    return weigh(message, len(LookupTables(lambda _: None).lock(message).writable)).cost_cu


class _Chains:
    """Chains of five steps, executed whole and step by step."""

    def __init__(self, code: bytes) -> None:
        self._stage = Stage(code)

    def kind(self) -> _Kind:
        """Execute chains of every kind of step both ways."""
        whole = [self._execute((5,)) for _ in range(_SAMPLES // 8)]
        steps = [self._execute((1, 1, 1, 1, 1)) for _ in range(_SAMPLES // 8)]
        # The steps differ; alone is what they cost on the average in a transaction each.
        return _Kind(
            name="execute_chain",
            one="step",
            alone_cu=statistics.fmean(steps) / 5,
            several=5,
            several_cu=statistics.fmean(whole),
        )

    def transactions(self) -> list[Figure]:
        """Pack chains of five steps, as the chains lane does."""
        stage = self._stage
        market = stage.market(SHAPES[0])
        portions = []
        for number in range(CHAINS):
            address = stage.open(market, SHAPES[0].steps, (100 + number) * USD)
            chain = Chain.from_bytes(stage.world.data(address))
            portion = Portion(
                kind=EXECUTE,
                address=address,
                chain=chain,
                steps=len(chain.steps),
                bounty=bounty_of_steps(chain, len(chain.steps)),
                pools=1,
                counts_trade=True,
            )
            portions.append(portion)
        desk = Desk(stage.world.program, stage.keeper.address, stage.world.quote_mint.pubkey())
        count = len(desk.pack(portions, None).batches)
        steps = sum(portion.steps for portion in portions)
        what = f"transactions for {CHAINS} chains of 5 steps in one market"
        return [_saved(what, count, steps, "one step each")]

    def _execute(self, parts: tuple[int, ...]) -> int:
        """Open a chain in a market of its own and execute it in so many steps at a time; return the compute units."""
        stage = self._stage
        market = stage.market(SHAPES[0])
        chain = stage.open(market, SHAPES[0].steps, 10_000 * USD)
        cu = first = 0
        for steps in parts:
            run = execute_chain(
                stage.world.program,
                stage.keeper.address,
                stage.keeper.tokens,
                market,
                chain,
                first_step=first,
                step_count=steps,
                counts_trade=True,
            )
            cu += stage.world.send([run], [stage.keeper.key]).cu
            first += steps
        return cu
