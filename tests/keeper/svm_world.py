"""A lane under test beside the committed program: the program in a real SVM, the keeper's landing, a virtual clock.

The cluster is scripted as in scripted.py, but what a transaction does, and whether a simulation passes, is the program's
own word; after each landing tokens, accounts and events are compared.
"""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import trio
from harness import Platform, User
from scripted import GENESIS, kit_over, lane_of
from solders.litesvm import LiteSVM
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from keeper.blame import BUDGET_INSTRUCTIONS
from keeper.execute import Kit, watch_blockhashes
from keeper.execute_chains import execute_chains
from keeper.lane_config import LaneConfig
from keeper.mirrors import following_of, mirrors_of
from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId
from keeper.snapshot import Snapshot, take_markets, take_positions
from programs import events
from programs.in_flight import Pace
from programs.rpc import Simulation, TransactionFacts
from programs.settling import settle_open_attempts
from programs.submit import land
from state.in_loop import InLoopStore
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster

CHANGE_E6 = 2_000
LAMPORTS_PER_QUOTE_UNIT = 5_000_000
PACE = Pace(poll_interval_s=SLOT_S, resend_interval_s=4 * SLOT_S)


def _error_of(result):
    """The error of a result as a node says it; None for success."""
    if isinstance(result, FailedTransactionMetadata):
        return json.loads(result.to_json())["err"]
    return None


def _meta_of(result):
    return result.meta() if isinstance(result, FailedTransactionMetadata) else result


class SvmCluster(ScriptedCluster):
    """What it includes runs in the SVM at once."""

    def __init__(self, platform):
        super().__init__(trio.current_time, first_slot=platform.slot)
        self.platform = platform
        self.used = {}
        """Compute units by signature."""
        self.before_landing = []
        """Called one after the other, each before one transaction lands."""
        self.too_few_units = 0
        """So many more transactions find their limit reached in the middle of the program."""

    def catch_up(self):
        """Bring the SVM to this slot."""
        if self.platform.slot < self.slot:
            self.platform.warp(self.slot - self.platform.slot)

    def outcome_of(self, transaction):
        self.catch_up()
        if self.before_landing:
            self.before_landing.pop(0)()
        if self.too_few_units:
            self.too_few_units -= 1
            self.used[transaction.signatures[0]] = 0
            return {"InstructionError": [BUDGET_INSTRUCTIONS, "ProgramFailedToComplete"]}
        result = self.platform.svm.send_transaction(transaction)
        self.used[transaction.signatures[0]] = _meta_of(result).compute_units_consumed()
        if not isinstance(result, FailedTransactionMetadata):
            for event in events.decode_logs(result.logs(), self.platform.program):
                self.platform.books.apply(event, self.platform.slot)
            self.platform.audit()
        return _error_of(result)


class SvmRpc(FakeRpc):
    """Simulations run in the SVM."""

    simulations = 0

    async def simulate_transaction(self, wire, *, replace_blockhash=False):
        await self._turn("simulate_transaction")
        assert replace_blockhash
        self.simulations += 1
        self.cluster.catch_up()
        result = self.cluster.platform.svm.simulate_transaction(
            VersionedTransaction.from_bytes(wire)
        )
        meta = result.meta()
        return Simulation(
            err=_error_of(result),
            logs=tuple(meta.logs()),
            cu_used=meta.compute_units_consumed(),
            slot=self.cluster.slot,
        )

    async def get_transaction(self, signature):
        await self._turn("get_transaction")
        status = self.cluster.status(signature, history=True)
        if status is None:
            return None
        return TransactionFacts(
            slot=status.slot,
            err=status.err,
            fee_lamports=5_000,
            cu_used=self.cluster.used[signature],
            logs=(),
        )


@dataclass
class SvmWorld:
    """What a lane sees, and what a test may look at and do."""

    platform: Platform
    cluster: SvmCluster
    rpc: SvmRpc
    store: InLoopStore
    kit: Kit
    keeper: User
    nursery: trio.Nursery
    chain: Newest = field(default_factory=Newest)
    following: Newest = field(default_factory=Newest)
    board: PriceBoard = field(default_factory=PriceBoard)
    stop: trio.Event = field(default_factory=trio.Event)

    @property
    def tally(self):
        return self.kit.tally

    @property
    def sent(self):
        """Every transaction sent, in the order of their first arrival."""
        return list(self.cluster.received.values())

    def earned(self):
        """What the keeper holds, base units: he began with nothing."""
        return self.platform.tokens(self.keeper.tokens)

    def scan(self, *, slot=None):
        """Publish what the chain holds now."""
        self.cluster.catch_up()
        platform = self.platform
        markets = [(bytes(market), platform.data(market)) for market in platform.markets]
        chains = {
            bytes(chain): platform.data(chain)
            for chain in sorted(platform.chains, key=bytes)
            if platform.exists(chain)
        }
        rows, addresses, _ = take_positions([])
        snapshot = Snapshot(
            slot=self.cluster.slot if slot is None else slot,
            global_=platform.global_(),
            vault=platform.vault(),
            markets=take_markets(markets)[0],
            positions=rows,
            addresses=addresses,
            chains=chains,
        )
        self.chain.publish(snapshot)
        self.following.publish(following_of(mirrors_of(snapshot.markets), {}, {}))

    def price(self, market, price_e6=500_000, price_class=PriceClass.VALID, *, band_e6=1_000):
        """Publish a market's price as we see it."""
        token = self.platform.market(market).yes_token_or_hash
        self.board.publish(
            Price(
                token_id=TokenId(str(int.from_bytes(bytes(token), "big"))),
                price_e6=price_e6,
                band_e6=band_e6,
                price_class=price_class,
                source=Source.CLOB,
                received_at_s=trio.current_time(),
                content_time_ms=None,
                reason=Reason.OK if price_class is PriceClass.VALID else Reason.FALLBACK,
            )
        )

    async def slots(self, count):
        await trio.sleep(count * SLOT_S)

    async def look(self, count=1):
        """Scan, and let the slots pass that a landing takes, so many times."""
        for _ in range(count):
            self.scan()
            await self.slots(4)

    def run_lane(self, **changes):
        """Start the lane, as at the start of a process."""
        self.stop = trio.Event()
        lane = lane_of(self.kit, "chains", LaneConfig(**changes), payer=self.keeper.key)
        self.nursery.start_soon(
            execute_chains,
            lane,
            LAMPORTS_PER_QUOTE_UNIT,
            lambda: CHANGE_E6,
            self.board,
            self.chain,
            self.following,
            self.stop,
        )


def founded():
    """A platform whose markets a test may add to."""
    platform = Platform(svm=LiteSVM().with_blockhash_check(False))  # noqa: FBT003 - solders has no name for it
    platform.initialize()
    return platform


@asynccontextmanager
async def open_svm_world(cluster, keeper, store=None, **in_kit):
    """Landing and blockhashes run over the platform; what the store has open is settled first."""
    platform = cluster.platform
    rpc, own_store = SvmRpc(cluster), store or InLoopStore()
    kit = replace(
        kit_over(rpc, own_store),
        program=platform.program,
        quote_mint=platform.quote_mint.pubkey(),
        **in_kit,
    )
    try:
        async with trio.open_nursery() as landing:
            await landing.start(land, rpc, kit.attempts, kit.in_flight, lambda: PACE)
            await landing.start(watch_blockhashes, rpc, kit.blockhashes, 2 * SLOT_S, GENESIS)
            await settle_open_attempts(kit.attempts, kit.in_flight, PACE)
            async with trio.open_nursery() as lanes:
                yield SvmWorld(platform, cluster, rpc, own_store, kit, keeper, lanes)
            landing.cancel_scope.cancel()
    finally:
        if store is None:
            own_store.close()
