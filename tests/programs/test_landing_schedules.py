"""Landing alone, played by seed: forks, losses, late copies, lag, forgetful nodes, faults of calls, and deaths."""

import random

import pytest
import structlog
import trio
from trio.testing import MockClock

from programs.in_flight import InFlight, Pace
from programs.outcomes import Landed, err_text
from programs.rpc import RpcBadReply, RpcError, RpcTimeout
from programs.settling import settle_open_attempts
from programs.submit import JobHeld, land, submit
from state.attempts import Attempts
from state.errors import AlreadyOpen
from state.in_loop import InLoopStore
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster, signed_batch

PACE = Pace(poll_interval_s=SLOT_S)
FAILURE = {"InstructionError": [3, {"Custom": 6}]}
TROUBLE_SLOTS, TAIL_SLOTS = 150, 400
JOBS, CURSED = "abcdef", "ef"
METHODS = ("send_transaction", "get_signature_statuses", "get_settled_statuses", "get_transaction")
FAULTS = (RpcTimeout("slow"), RpcBadReply("html"), RpcError(-32005, "behind"), 0.3, 2.5)


class Witness:
    """What the keeper did and was told, held against the rules at each step."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.batches = {}
        self.failed = set()
        self.over = set()
        self.told_absent = set()
        self.broken = []

    def recorded(self, batch):
        (job,) = batch.jobs
        for former in self.batches.values():
            if former.jobs == batch.jobs and not self._is_past(former):
                self.broken.append(f"{job.job_id} signed again while a former attempt lives")
        self.batches[batch.transaction.signature] = batch

    def _is_past(self, former):
        signature = former.transaction.signature
        if signature in self.cluster.included:
            slot, err = self.cluster.included[signature]
            return err is not None or slot <= self.cluster.height("finalized")
        is_late = self.cluster.slot + 1 > former.last_valid_block_height
        return is_late or (signature in self.failed and signature not in self.told_absent)

    def ended(self, row):
        kept = {str(signature): signature for signature in self.batches}[row.signature_text]
        (self.failed.add if row.state == "failed" else self.failed.discard)(kept)
        if row.is_finalized:
            self.over.add(kept)


class WitnessedLog(Attempts):
    __slots__ = ("witness",)

    def __init__(self, store, witness):
        super().__init__(store)
        object.__setattr__(self, "witness", witness)

    async def record_attempt(self, batch):
        await super().record_attempt(batch)
        self.witness.recorded(batch)

    async def record_ends(self, rows):
        await super().record_ends(rows)
        for row in rows:
            self.witness.ended(row)

    async def mark_finalized(self, signatures):
        await super().mark_finalized(signatures)
        known = {str(signature): signature for signature in self.witness.batches}
        self.witness.over.update(known[text] for text in signatures)


class Node(FakeRpc):
    """Answers behind the tip, and lets the witness hear what it says."""

    def __init__(self, cluster, witness):
        super().__init__(cluster)
        self.witness, self.lag_slots = witness, 0

    async def get_signature_statuses(self, signatures):
        told = await super().get_signature_statuses(signatures)
        newest = self.cluster.slot - self.lag_slots
        told = tuple(one if one and one.slot <= newest else None for one in told)
        self._note(signatures, told)
        return told

    async def get_settled_statuses(self, signatures):
        told = await super().get_settled_statuses(signatures)
        self._note(signatures, told.statuses)
        return told

    def _note(self, signatures, statuses):
        for signature, status in zip(signatures, statuses, strict=True):
            note = self.witness.told_absent
            (note.add if status is None else note.discard)(signature)

    async def send_transaction(self, wire):
        known = {batch.wire: signature for signature, batch in self.witness.batches.items()}
        if wire not in known:
            self.witness.broken.append("sent before it was recorded")
        elif known[wire] in self.witness.over:
            self.witness.broken.append("sent after its end was final")
        await super().send_transaction(wire)


class Schedule:
    """One world and all that happens to it."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.cluster = ScriptedCluster(trio.current_time)
        self.cluster.failing = {name.encode(): FAILURE for name in CURSED}
        self.witness = Witness(self.cluster)
        self.rpc = Node(self.cluster, self.witness)
        self.log = WitnessedLog(InLoopStore(), self.witness)
        self.lives = 0

    async def play(self):
        deaths = sorted(
            self.chance.uniform(1, TROUBLE_SLOTS) for _ in range(self.chance.randrange(3))
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._trouble)
            for death in deaths:
                with trio.move_on_at(death * SLOT_S):
                    await self._live()
                await trio.sleep(self.chance.choice([0, 2, 200]) * SLOT_S)
            with trio.move_on_at((TROUBLE_SLOTS + TAIL_SLOTS) * SLOT_S):
                await self._live()

    async def _live(self):
        in_flight = InFlight()
        async with trio.open_nursery() as life:
            life.start_soon(land, self.rpc, self.log, in_flight, lambda: PACE)
            await settle_open_attempts(self.log, in_flight, PACE)
            for name in JOBS:
                life.start_soon(self._work, in_flight, name)

    async def _work(self, in_flight, name):
        """Be a lane: do the job until it is done, whatever becomes of each attempt."""
        while trio.current_time() < TROUBLE_SLOTS * SLOT_S:
            is_done = self.cluster.executed[name.encode()]
            if not is_done or self.chance.random() < 0.2:
                # Now and then the sight of the chain is an old one.
                with_effect = signed_batch(self.cluster, name)
                try:
                    outcome = await submit(self.log, in_flight, with_effect)
                except (AlreadyOpen, JobHeld):
                    await trio.sleep(2 * SLOT_S)
                    continue
                if isinstance(outcome, Landed) and self.chance.random() < 0.5:
                    return
            await trio.sleep(self.chance.randrange(12) * SLOT_S)

    async def _trouble(self):
        chance, cluster = self.chance, self.cluster
        while cluster.slot < cluster.first_slot + TROUBLE_SLOTS:
            await trio.sleep(SLOT_S)
            if chance.random() < 0.1:
                cluster.fork(chance.randint(1, 6))
            if chance.random() < 0.1:
                cluster.drops = chance.randint(1, 8)
            if chance.random() < 0.2:
                cluster.memory_slots = chance.choice([-1, 300, 300])
            if chance.random() < 0.2:
                self.rpc.lag_slots = chance.choice([0, 0, 4])
            if chance.random() < 0.2:
                faults = self.rpc.faults.setdefault(chance.choice(METHODS), [])
                faults.append(chance.choice(FAULTS))
            if chance.random() < 0.3 and cluster.received:
                # A leader that still holds the bytes.
                cluster.receive(bytes(chance.choice(list(cluster.received.values()))))
        cluster.drops, cluster.memory_slots, self.rpc.lag_slots = 0, 300, 0
        self.rpc.faults.clear()

    def check(self):
        assert self.witness.broken == []
        rows = self.log.store.db.conn.execute(
            "SELECT signature, state, slot, err, is_finalized FROM attempt"
        ).fetchall()
        assert len(rows) == len(self.witness.batches)
        ends = {str(signature): end for signature, end in self.cluster.included.items()}
        for signature, state, slot, err, is_finalized in rows:
            assert is_finalized
            if signature not in ends:
                assert state == "expired"
                continue
            at, why = ends[signature]
            wanted = ("landed", None) if why is None else ("failed", err_text(why))
            assert (state, err, slot) == (*wanted, at)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_network_does_no_job_has_two_live_signatures_and_every_end_is_the_chains(seed):
    played = []

    async def play():
        schedule = Schedule(seed)
        played.append(schedule)
        await schedule.play()

    with structlog.testing.capture_logs():
        trio.run(play, clock=MockClock(autojump_threshold=0))
    (schedule,) = played
    schedule.check()
    assert schedule.witness.batches
    schedule.log.store.close()
