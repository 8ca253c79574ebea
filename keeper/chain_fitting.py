"""As many steps as a node says will run: planned from what we see, then shrunk and grown by simulation.

Shell. The forecast is exact for the state that we saw; the node's may be newer. A simulation names the chain that would
fail and logs the steps that would run before; so the guilty one gives way by as much as it must, and its companions stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from solders.pubkey import Pubkey

from keeper.blame import guilty_instruction
from keeper.chain_batches import Desk, Load
from keeper.chain_plan import Portion
from keeper.execute import Lane, Shipment, simulate
from keeper.stuck_chains import why_harmless
from programs import events
from programs.errors import custom_code
from programs.event_layout import EventKind
from programs.rpc import Simulation
from programs.units import ComputeUnits

_NONE: Final = ComputeUnits(0)
Why = Literal["no_longer_due", "overtaken", "crowded_out", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A portion that does not go, and why."""

    portion: Portion
    why: Why
    """`crowded_out`: alone it would run, behind those that it goes with it does not."""
    err: object
    """In the node's own JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What of a load runs."""

    load: Load | None
    """None: nothing of it."""
    cu_used: ComputeUnits = _NONE
    dropped: tuple[Dropped, ...] = ()
    err: object = None
    """Blames no portion: the whole load must wait."""


async def fit(lane: Lane, desk: Desk, load: Load) -> Fitted:
    """Simulate a load until all that is left of it runs, then once more with every step that its chains have left.

    One that is not alone keeps to its plan: no node shows its markets as those that go before it will leave them.

    Raises:
        RpcFailure: no node could say.
    """
    portions, dropped = list(load.portions), list[Dropped]()
    known: dict[tuple[tuple[Pubkey, int], ...], ComputeUnits] = {}
    """What loads that run use, by their chains and steps."""
    is_grown = not load.is_alone
    while portions:
        name = tuple((one.address, one.steps) for one in portions)
        cu_used = known.get(name)
        if cu_used is None:
            candidate = desk.load(portions, load.tables, is_alone=load.is_alone)
            simulated = await simulate(lane, shipment_of(candidate))
            if simulated.err is not None:
                at = guilty_instruction(simulated.err, len(portions))
                if at is None:
                    return Fitted(load=None, dropped=tuple(dropped), err=simulated.err)
                verdict = await _judge(lane, desk, portions, at, simulated)
                if isinstance(verdict, Portion):
                    portions[at] = verdict
                else:
                    dropped.append(verdict)
                    del portions[at]
                continue
            cu_used = known[name] = simulated.cu_used
        if is_grown or all(portion.steps in {0, portion.left} for portion in portions):
            whole = desk.load(portions, load.tables, is_alone=load.is_alone)
            return Fitted(load=whole, cu_used=cu_used, dropped=tuple(dropped))
        is_grown = True
        portions = [one.of_steps(one.left) if one.steps else one for one in portions]
    return Fitted(load=None, dropped=tuple(dropped))


def shipment_of(load: Load) -> Shipment:
    """Wrap a load for a simulation, with room for the most that it may use."""
    return Shipment(
        jobs=(),
        due_at_s=(),
        instructions=load.instructions,
        cu_limit=load.cu,
        loaded_bytes=load.loaded_bytes,
        tables=load.tables,
    )


async def _judge(
    lane: Lane, desk: Desk, portions: Sequence[Portion], at: int, simulated: Simulation
) -> Portion | Dropped:
    """Return the portion with only the steps that run, or why it cannot go at all."""
    portion, err = portions[at], simulated.err
    harmless = why_harmless(custom_code(err))
    if harmless is not None:
        return Dropped(portion=portion, why=harmless, err=err)
    ran = _steps_run(lane, simulated, portion.address)
    if ran is not None and 0 < ran < portion.steps:
        return portion.of_steps(ran)
    if len(portions) == 1:
        return Dropped(portion=portion, why="refused", err=err)
    alone = await simulate(lane, shipment_of(desk.load([portion], ())))
    if alone.err is None or _steps_run(lane, alone, portion.address):
        return Dropped(portion=portion, why="crowded_out", err=err)
    return Dropped(portion=portion, why="refused", err=alone.err)


def _steps_run(lane: Lane, simulated: Simulation, chain: Pubkey) -> int | None:
    """Count the steps of a chain that ran before the error; None when the logs do not say."""
    ran = 0
    try:
        for data in events.program_data(simulated.logs, lane.kit.program):
            event = events.decode(data)
            ran += event.kind is EventKind.CHAIN_STEPPED and event.address("chain") == chain
    except events.MalformedEventError:
        return None
    return ran
