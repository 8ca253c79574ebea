"""state/learned.py: what was learned survives, and a row that makes no sense hurts nobody."""

from programs.cu_model import CuModel
from state.attempts import Attempts
from state.in_loop import InLoopStore
from state.learned import LearnedUnits


async def test_what_was_learned_is_there_after_a_restart_oldest_first():
    store = InLoopStore()
    kept = LearnedUnits(store)
    values = {"liquidate": [(9_900, 8_600), (10_800, 9_300)], "update_prices": [(1_375, 1_344)]}
    await kept.save({"chain": [(1, 1)]})
    await kept.save(values)
    assert values == await kept.load()
    store.close()


async def test_bad_rows_never_hurt():
    store = InLoopStore()
    kept = LearnedUnits(store)
    await kept.save({"liquidate": [(9_900, 8_600)] * 100})
    store.db.conn.execute(
        "INSERT INTO learned_units (kind, bound_cu, used_cu) VALUES ('liquidate', 1, 9000000000)"
    )
    model = CuModel.of_values(await kept.load())
    assert {"liquidate": [(9_900, 8_600)] * 100} == model.as_values()
    assert 0 == await Attempts(store).last_id()
    store.close()
