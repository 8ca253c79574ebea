"""Send what is due, the same bytes again and again, until a node shows them or they can no longer land."""

import structlog
import trio

from programs.flight import Flight
from programs.in_flight import InFlight, ReadPace
from programs.refusals import is_permanent
from programs.rpc import Rpc, RpcError, RpcFailure

_log = structlog.get_logger()


async def send_all_due(rpc: Rpc, in_flight: InFlight, pace: ReadPace) -> None:
    """Send, until cancelled. A place is taken before a flight is chosen: what waits for one can still be overtaken."""
    places = trio.Semaphore(pace().sends_at_once)
    async with trio.open_nursery() as nursery:
        while True:
            await places.acquire()
            flight = await in_flight.wait_due(pace)
            flight.is_sending = True
            nursery.start_soon(_send, rpc, in_flight, flight, places)


async def _send(rpc: Rpc, in_flight: InFlight, flight: Flight, places: trio.Semaphore) -> None:
    in_flight.count("sends")
    if flight.was_sent:
        in_flight.count("resends")
    flight.was_sent = True
    try:
        await rpc.send_transaction(flight.wire)
    except RpcError as error:
        # A node that has it says so with an error: the status will tell the rest.
        if not error.is_already_processed:
            _note_refusal(in_flight, flight, error)
    except RpcFailure as failure:
        _note(flight, "send.unanswered", str(failure))
    else:
        flight.is_hopeless = False
    finally:
        flight.is_sending = False
        places.release()


def _note_refusal(in_flight: InFlight, flight: Flight, error: RpcError) -> None:
    is_hopeless = is_permanent(error)
    if is_hopeless and not flight.is_hopeless:
        in_flight.count("refused")
    flight.is_hopeless = is_hopeless
    _note(flight, "send.hopeless" if is_hopeless else "send.refused", str(error))


def _note(flight: Flight, event: str, reason: str) -> None:
    """Log a refusal once, not at every resend of the same bytes."""
    if flight.refusal != reason:
        level = _log.warning if flight.is_hopeless else _log.info
        level(event, signature=str(flight.signature), lane=flight.lane, reason=reason)
    flight.refusal = reason
