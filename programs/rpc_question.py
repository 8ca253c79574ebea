"""What is asked of an endpoint, and how an answer is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from programs.rpc import Commitment, ProgramRows
from programs.rpc_transport import ReadBody

T = TypeVar("T")

_TAKES_MIN_SLOT: Final = frozenset(
    {
        "getSlot",
        "getBlockHeight",
        "getEpochInfo",
        "getLatestBlockhash",
        "getBalance",
        "getAccountInfo",
        "getMultipleAccounts",
        "getProgramAccounts",
        "simulateTransaction",
    }
)
"""Methods with a minContextSlot. Source: agave rpc-client-api/src/config.rs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[T]):
    """What is asked, and how an answer is read."""

    method: str
    params: tuple[object, ...] = ()
    """With the options, where there are any, last."""
    commitment: Commitment = "finalized"
    """At which the answer's slot counts."""
    parse: Callable[[Any], T]
    check: Callable[[T, int], None] | None = None
    """Raises RpcFailure for an answer, of that endpoint, that is not to be believed."""
    timeout_s: float | None = None
    """Instead of the usual one."""
    read: ReadBody | None = None
    """Takes the body of the reply instead of a JSON parser; what it returns is parsed in its place."""
    is_bulky: bool = False
    """The reply may be hundreds of megabytes: it is asked of one endpoint at a time, for two replies at once are twice the memory."""
    is_send: bool = False
    """No answer about the chain: neither its age nor the endpoint's cluster matters."""
    is_visit: bool = False
    """Asked to judge the endpoint: it answers even when it is set aside."""

    def params_from(self, least_slot: int) -> tuple[object, ...]:
        """Return the parameters, with the oldest slot that will do where the method takes one."""
        if self.method not in _TAKES_MIN_SLOT or least_slot <= 0:
            return self.params
        *params, options = self.params
        assert isinstance(options, dict), "each of these methods is asked with options"
        return (*params, options | {"minContextSlot": least_slot})


def slot_in(method: str, result: object) -> int | None:
    """Find the slot an answer is about; None when it does not say, or is malformed, which parsing will find."""
    match result:
        case {"context": {"slot": int(slot)}} | {"absoluteSlot": int(slot)}:
            pass
        case ProgramRows(slot=slot):
            return slot
        case int(slot) if method == "getSlot":
            pass
        case _:
            return None
    return slot if not isinstance(slot, bool) and slot >= 0 else None
