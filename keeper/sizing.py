"""How many compute units to ask for: learned from what landed, simulated while too little has.

Shell. What is asked for is paid for and weighed by the scheduler, used or not; too little is a failed transaction. So both
errors are kept small: a kind whose use is well known asks for it and a margin, any other is simulated first.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from keeper.execute import Kit, Lane, Shipment, simulate
from keeper.fees import NoBid
from programs.errors import in_words
from programs.lookup_tables import TableShelf
from programs.outcomes import Expired, Failed, Landed, Outcome
from programs.rpc import RpcFailure, Simulation
from programs.units import ComputeUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A shipment with the limit it should ask for."""

    shipment: Shipment
    simulated: Simulation | None
    """None: what landed before was enough to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsized:
    """A shipment that no node would run, or that none answered for."""

    err: object
    """Of the simulation, the node's own JSON; None: no node answered."""
    reason: str


async def size(
    lane: Lane,
    kind: str,
    bound: ComputeUnits,
    shipment: Shipment,
    *,
    margin_bps: Callable[[Simulation], int] | None = None,
) -> Sized | Unsized:
    """Set a shipment's compute-unit limit.

    Args:
        lane: whose it is.
        kind: what is alike: the lane's instruction.
        bound: what it cannot exceed, linear in what drives the cost.
        shipment: its own limit serves for the simulation, and must be ample.
        margin_bps: what to ask for beyond a simulation, judged by what happened in it; None: the model's policy says.
    """
    model = lane.kit.cu_model
    if model.is_sure(kind, bound):
        return Sized(
            shipment=replace(shipment, cu_limit=model.request(kind, bound)), simulated=None
        )
    try:
        simulated = await simulate(lane, shipment)
    except RpcFailure as failure:
        return Unsized(err=None, reason=str(failure))
    if simulated.err is not None:
        if is_about_tables(simulated.err):
            _take_off_shelf(lane.kit, shipment)
        return Unsized(err=simulated.err, reason=in_words(simulated.err))
    beyond_bps = None if margin_bps is None else margin_bps(simulated)
    asked = model.request(kind, bound, simulated.cu_used, simulated_margin_bps=beyond_bps)
    return Sized(shipment=replace(shipment, cu_limit=asked), simulated=simulated)


def note_end(
    kit: Kit, kind: str, bound: ComputeUnits, shipment: Shipment, outcome: Outcome | NoBid
) -> None:
    """Learn from an end; a lookup table that may have been at fault is doubted."""
    match outcome:
        case Landed():
            kit.cu_model.note_landed(kind, bound, outcome.cu_used)
        case Failed():
            if is_exhausted(outcome.err):
                kit.cu_model.note_exhausted(kind)
            if is_about_tables(outcome.err):
                _take_off_shelf(kit, shipment)
        case Expired():
            # A node drops what names a table that it has not: nothing else would tell.
            _take_off_shelf(kit, shipment)
        case NoBid():
            pass


def is_exhausted(err: object) -> bool:
    """Whether a transaction ran out of compute units: nobody's fault but ours."""
    match err:
        case {"InstructionError": [_, "ComputationalBudgetExceeded" | "ProgramFailedToComplete"]}:
            return True
        case _:
            return False


def is_about_tables(err: object) -> bool:
    """Whether a transaction names a lookup table, or a place in one, that the chain does not have."""
    return isinstance(err, str) and "Lookup" in err


def _take_off_shelf(kit: Kit, shipment: Shipment) -> None:
    """Until the next reading of the chain puts them back."""
    shelf = kit.shelf.get()
    if shelf is None or not shipment.tables:
        return
    doubted = {table.address for table in shipment.tables}
    kit.shelf.publish(
        TableShelf(tuple(table for table in shelf.tables if table.address not in doubted))
    )
