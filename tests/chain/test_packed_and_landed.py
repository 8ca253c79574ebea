"""What is packed lands: positions per transaction without tables and with real ones, and compute units asked for."""

import random

import pytest
from solders.hash import Hash
from solders.sysvar import RENT
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from bench.packing import Liquidation
from keeper.costs import (
    LIQUIDATE_CU_PER_POSITION,
    LIQUIDATE_LOADED_BYTES_PER_POSITION,
    liquidate_base_cu,
    liquidate_loaded_bytes,
)
from keeper.profile.cases.trades import under_water
from programs.betting_platform.build import PROGRAM_SO
from programs.cu_model import SAMPLES_LEAST, CuModel
from programs.instructions import Tag, liquidate_header
from programs.lookup_tables import TableShelf, decode_table
from programs.pack import BatchTemplate, pack_targets
from programs.rent import decode_rent
from programs.table_plan import plan_tables
from programs.table_worth import want_tables
from programs.transaction import Budget, compile_message, sign, whole_pages

FALL_E6 = 40_000
CERTAIN_BPS, UNLIKELY_BPS = 10_000, 100


class Desk:
    """A keeper at a market whose positions are all due."""

    def __init__(self, positions):
        code = PROGRAM_SO.read_bytes()
        self.world, self.market, self.positions = under_water(code, positions, fall_e6=FALL_E6)
        self.keeper = self.world.user(0)
        self.shelf = TableShelf()
        self.known = []
        header = liquidate_header(
            self.world.program, self.keeper.address, self.keeper.tokens, self.market
        )
        self.template = BatchTemplate(
            program=self.world.program,
            accounts=tuple(header),
            data=bytes([Tag.LIQUIDATE]),
            base_cu=liquidate_base_cu(1),
            cu_per_target=LIQUIDATE_CU_PER_POSITION,
            base_loaded_bytes=liquidate_loaded_bytes(1),
            loaded_bytes_per_target=LIQUIDATE_LOADED_BYTES_PER_POSITION,
        )

    def tick(self):
        """Open the next slot as a cluster does: the last 512 are among the slot hashes."""
        self.world.warp(1)
        slots = range(self.world.slot - 1, self.world.slot - 513, -1)
        self.world.svm.set_slot_hashes([(slot, Hash.default()) for slot in slots])
        return slots

    def send(self, instructions, budget, tables=()):
        self.world.svm.expire_blockhash()
        blockhash = self.world.svm.latest_blockhash()
        message = compile_message(self.keeper.address, instructions, budget, blockhash, tables)
        wire = sign(message, [self.keeper.key]).wire
        result = self.world.svm.send_transaction(VersionedTransaction.from_bytes(wire))
        assert not isinstance(result, FailedTransactionMetadata), result
        return result, len(wire)

    def tables(self):
        return [decode_table(address, self.world.data(address)) for address in self.known]

    def make_tables(self, *, odds_bps):
        """Follow the plan, which creates and extends, until nothing is left to do."""
        want = want_tables(
            self.world.program,
            {self.market: self.template.accounts},
            {self.market: [(position, odds_bps) for position in self.positions]},
            fee_multiple_bps=30_000,
            rent_lamports_max=10**9,
        )
        rent = decode_rent(self.world.data(RENT))
        for _ in range(5):
            slots = self.tick()
            plan = plan_tables(want, self.tables(), slots, self.keeper.address, rent)
            for step in plan.steps:
                self.send(step.instructions, step.budget(1))
                if step.kind == "create":
                    self.known.append(step.table)
        assert not plan.steps
        usable = [table.usable_at(self.world.slot) for table in self.tables()]
        self.shelf = TableShelf(tuple(usable))

    def batches(self, positions):
        jobs = [Liquidation(str(one), self.market, one) for one in positions]
        templates = {self.market: self.template}
        return pack_targets(jobs, templates, self.keeper.address, shelf=self.shelf).batches

    def land(self, batch, cu_limit=None):
        budget = Budget(
            cu_limit=cu_limit or batch.cu,
            cu_price_micro_lamports=1,
            loaded_bytes=whole_pages(batch.loaded_bytes),
        )
        tables = [table.account for table in batch.tables]
        result, size_bytes = self.send(batch.instructions, budget, tables)
        assert size_bytes == batch.size_bytes
        return result.compute_units_consumed()

    def is_liquidated(self, position):
        return not self.world.data(position) or not self.world.position(position).debt


@pytest.mark.parametrize(("odds_bps", "most"), [(None, 23), (UNLIKELY_BPS, 28), (CERTAIN_BPS, 54)])
def test_a_full_transaction_lands_and_liquidates_every_position_that_was_packed(odds_bps, most):
    """Plain; the shared accounts in a table; the positions in it too, which leaves the limit of 64 locks."""
    desk = Desk(60)
    if odds_bps is not None:
        desk.make_tables(odds_bps=odds_bps)
    first, *_ = desk.batches(desk.positions)
    assert len(first.jobs) == most
    desk.land(first)
    assert all(desk.is_liquidated(job.target) for job in first.jobs)
    assert not any(desk.is_liquidated(one) for one in desk.positions[most:])


def test_compute_units_learned_from_landings_cover_the_next_ones_with_little_to_spare():
    model, chance, headrooms = CuModel(), random.Random(11), []
    for _ in range(12):
        desk = Desk(70)
        waiting = list(desk.positions)
        while waiting:
            count = chance.randint(1, 8)
            (batch,) = desk.batches(waiting[:count])
            del waiting[:count]
            is_sure = model.is_sure("liquidate", batch.cu)
            # Out of compute units it would fail: landing is the proof that enough was asked for.
            asked = model.request("liquidate", batch.cu)
            used = desk.land(batch, asked)
            model.note_landed("liquidate", batch.cu, used)
            if is_sure:
                headrooms.append(asked / used - 1)
    assert len(headrooms) > 40
    assert sorted(headrooms)[int(0.99 * len(headrooms))] <= 0.15
    assert len(model.as_values()["liquidate"]) >= SAMPLES_LEAST + len(headrooms)
