"""One world: a chain that goes on, a venue that speaks or does not, and keepers that live and die one after the other.

Shell, on trio's virtual clock: the lanes, landing, the scan and the settlement at the start are the engine's own.
"""

from dataclasses import dataclass, field
from typing import Final

import trio

from bench.schedules.cluster import Cluster, genesis
from bench.schedules.death import Executioner
from bench.schedules.disk import Disk
from bench.schedules.engine import keep
from bench.schedules.invariants import Invariants
from bench.schedules.node import Nodes
from bench.schedules.program import Position, Reading, State, is_under_water
from bench.schedules.schedule import CLEAR, SLOT_S, TROUBLE_SLOTS, Mortal, Schedule
from bench.schedules.trace import Trace
from programs.localnet.dice import Dice
from state.in_loop import InLoopStore
from tests.keeper.scripted import USD, market_address, position_address

_TAIL_SLOTS_MAX: Final = 250
"""After the trouble: a blockhash's life, finality, backoffs of what failed, and as much again."""
_QUIET_SLOTS: Final = 12
"""Nothing due and nothing unsettled for so long is the end."""
_SHARES: Final = 100 * USD
_START_E6: Final = 500_000
_TENTHS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one schedule."""

    seed: int
    trace: str
    """The hash of everything that happened."""
    broken: tuple[str, ...]
    attempts: int
    landed: int
    failed: int
    expired: int
    lives: int
    forks: int
    slots: int
    effects: int


@dataclass(slots=True, kw_only=True)
class World:
    """Everything but the keeper."""

    schedule: Schedule
    cluster: Cluster
    nodes: Nodes
    disk: Disk
    invariants: Invariants
    executioner: Executioner
    trace: Trace
    truth_e6: dict[int, int | None] = field(default_factory=dict)
    """By market; None: the venue is silent."""
    lives: int = 0
    slots: int = 0

    def begin_slot(self) -> None:
        """Let happen what the schedule has for this slot."""
        for move in self.schedule.moves:
            if move.slot == self.slots:
                self.truth_e6[move.market] = move.price_e6
                self.trace.note("truth", move.market, move.price_e6)
        opened = {
            position_address(planted.number): Position(
                market=planted.market, shares=_SHARES, debt=planted.debt_usd * USD
            )
            for planted in self.schedule.planted
            if planted.slot == self.slots
        }
        if opened:
            # Somebody else's transaction: it is in the newest block, and forks leave it there.
            for block in self.cluster.blocks:
                if block.height >= self.cluster.final_height:
                    block.state = State(
                        readings=block.state.readings,
                        positions={**block.state.positions, **opened},
                    )
        if self.slots == 0:
            self.cluster.cursed = frozenset(
                position_address(planted.number)
                for planted in self.schedule.planted
                if self.schedule.dice.happens(
                    self.schedule.weather.curse_bps, "cursed", planted.number
                )
            )
        if self.slots == TROUBLE_SLOTS:
            self.nodes.weather = self.disk.weather = CLEAR
            self.cluster.cursed = frozenset()
            self.trace.note("clear")

    def end_slot(self) -> None:
        """Close the slot: a block, or a fork and then a block."""
        weather, dice = self.nodes.weather, self.schedule.dice
        if dice.happens(weather.fork_bps, "fork", self.slots):
            depth = 1 + dice.roll(weather.fork_blocks_max, "depth", self.slots)
            self._fork(dice, depth)
        self.cluster.end_slot()
        self.slots += 1
        self.trace.note(
            "slot", self.cluster.slot, self.cluster.tip.height, len(self.cluster.tip.executed)
        )
        self.invariants.after_block()

    def _fork(self, dice: Dice, depth: int) -> None:
        taken = self.cluster.fork(depth)
        self.trace.note("fork", depth, len(taken))
        for signature in taken:
            if dice.happens(self.schedule.weather.return_bps, "returns", signature, self.slots):
                after = dice.roll(4, "returns after", signature, self.slots)
                self.cluster.come_again(signature, after)

    def undone(self) -> list[str]:
        """Return what is due by the chain's own state and the venue's word."""
        due = []
        state = self.cluster.tip.state
        for number, (market, reading) in enumerate(state.readings.items()):
            truth_e6 = self.truth_e6[number]
            if truth_e6 is not None and abs(truth_e6 - reading.price_e6) >= CHANGE_E6:
                due.append(f"post:{market}")
        prices = [reading.price_e6 for reading in state.readings.values()]
        due += [
            f"liquidate:{address}"
            for address, position in state.positions.items()
            if is_under_water(position, prices[position.market])
        ]
        return due

    def unsettled_count(self) -> int:
        """Return how many attempts have no end in the record that no fork can change."""
        found = self.disk.inner.db.conn.execute(
            "SELECT count(*) FROM attempt WHERE is_finalized = 0"
        ).fetchone()
        return int(found[0])

    def judge_end(self) -> None:
        """Hold the record against the chain, once nothing more can happen."""
        final = self.cluster.final_height
        rows = self.disk.inner.db.conn.execute(
            "SELECT signature, state, slot, err, is_finalized, last_valid_block_height FROM attempt"
        ).fetchall()
        for row in rows:
            self.invariants.judge(*row, finalized_height=final)
        for job in self.undone():
            self.invariants.note(f"{job} is due at the end, undone")


CHANGE_E6: Final = 2_000
"""What is worth posting. Source: keeper.posting.PostingRules."""


def open_world(schedule: Schedule, *, keep_lines: bool = False) -> World:
    """Make a world that has not begun."""
    reading = Reading(price_e6=_START_E6, publish_slot=0, update_slot=0)
    markets = range(schedule.markets)
    state = State(readings={market_address(number): reading for number in markets}, positions={})
    cluster, trace = genesis(state), Trace(lines=[] if keep_lines else None)
    invariants = Invariants(cluster=cluster, trace=trace)
    executioner = Executioner(world=invariants)
    return World(
        schedule=schedule,
        cluster=cluster,
        trace=trace,
        invariants=invariants,
        executioner=executioner,
        nodes=Nodes(
            cluster=cluster,
            schedule=schedule,
            executioner=executioner,
            trace=trace,
            weather=schedule.weather,
        ),
        disk=Disk(
            inner=InLoopStore(),
            schedule=schedule,
            executioner=executioner,
            after_commit=invariants.after_commit,
            weather=schedule.weather,
        ),
        truth_e6=dict.fromkeys(markets, _START_E6),
    )


async def play(world: World) -> Played:
    """Let the trouble pass and what is due be done; then judge."""
    world.begin_slot()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_live_and_die, world)
        quiet = 0
        while quiet < _QUIET_SLOTS and world.slots < TROUBLE_SLOTS + _TAIL_SLOTS_MAX:
            await trio.sleep(SLOT_S)
            world.end_slot()
            world.begin_slot()
            is_over = not (world.undone() or world.unsettled_count())
            quiet = quiet + 1 if is_over and world.slots > TROUBLE_SLOTS else 0
        nursery.cancel_scope.cancel(reason="it is over")
    world.judge_end()
    return _played(world)


async def _live_and_die(world: World) -> None:
    """Live the lives that the schedule ends, and one more."""
    for death in (*world.schedule.deaths, None):
        world.lives += 1
        world.trace.note("life", world.lives, death)
        scope = world.executioner.attend(death)
        if death is not None and death.where is Mortal.IN_TIME:
            scope.deadline = trio.current_time() + death.times * SLOT_S / _TENTHS
        with scope:
            await keep(world.nodes, world.disk, world.truth_e6)
        if death is not None:
            await trio.sleep(death.down_slots * SLOT_S)


def _played(world: World) -> Played:
    counts = dict(
        world.disk.inner.db.conn.execute("SELECT state, count(*) FROM attempt GROUP BY state")
    )
    played = Played(
        seed=world.schedule.seed,
        trace=world.trace.digest(),
        broken=tuple(world.invariants.broken),
        attempts=sum(counts.values()),
        landed=counts.get("landed", 0),
        failed=counts.get("failed", 0),
        expired=counts.get("expired", 0),
        lives=world.lives,
        forks=world.cluster.forks,
        slots=world.slots,
        effects=world.invariants.effects,
    )
    world.disk.inner.close()
    return played
