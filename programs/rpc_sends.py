"""One transaction to every endpoint that takes it; the first acceptance is enough, and nobody waits for the slowest.

Shell. What is still on its way when the sender returns goes on as an errand, each under its own deadline.
"""

from dataclasses import dataclass, field

import trio

from programs.rpc import RpcError, RpcFailure
from programs.rpc_pool import Pool
from programs.rpc_question import Question


@dataclass(slots=True, eq=False)
class _Sending:
    """What became of one transaction's sends so far."""

    left: int
    """Endpoints that have not answered."""
    is_accepted: bool = False
    failures: list[RpcFailure] = field(default_factory=list)
    settled: trio.Event = field(default_factory=trio.Event)

    def note(self, failure: RpcFailure | None) -> None:
        """Take in one endpoint's answer; None is an acceptance."""
        self.left -= 1
        if failure is None:
            self.is_accepted = True
        else:
            self.failures.append(failure)
        # A node that refuses because it has the transaction settles it like one that takes it.
        if self.left == 0 or failure is None or _has_it(failure):
            self.settled.set()


async def send_everywhere(pool: Pool, errands: trio.Nursery, question: Question[object]) -> None:
    """Send to every endpoint whose breaker lets it through; return once any has accepted.

    Raises:
        RpcError: no endpoint accepted, and this is the clearest reason given.
        RpcUnavailable: no endpoint answered.

    """
    numbers = pool.recipients(question.method)
    if not numbers:
        raise pool.book.nobody()
    sending = _Sending(left=len(numbers))
    for number in numbers:
        errands.start_soon(_send, pool, number, question, sending)
    await sending.settled.wait()
    if not sending.is_accepted:
        raise min(sending.failures, key=_unclearness)


async def _send(pool: Pool, number: int, question: Question[object], sending: _Sending) -> None:
    try:
        await pool.ask(number, question)
    except RpcFailure as failure:
        sending.note(failure)
    else:
        sending.note(None)


def _has_it(failure: RpcFailure) -> bool:
    return isinstance(failure, RpcError) and failure.is_already_processed


def _unclearness(failure: RpcFailure) -> int:
    if _has_it(failure):
        return 0
    return 1 if isinstance(failure, RpcError) else 2
