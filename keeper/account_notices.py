"""What a cluster's websocket says, read strictly: acknowledgements, slots, and accounts.

Core. Requests are numbered by the kind of account they subscribe to; slots have a number of their own.
"""

import binascii
import json
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey

from keeper.kinds import kind_filter
from keeper.platform_state import Notice
from programs.layout import AccountKind
from programs.units import I64_MAX, U64_MAX, Slot

KINDS: Final = (
    AccountKind.GLOBAL,
    AccountKind.VAULT,
    AccountKind.MARKET,
    AccountKind.CHAIN,
    AccountKind.POSITION,
)
"""What is subscribed to."""
SLOTS_ID: Final = 100
"""Asked for last, so that where notifications come in the order of the requests, a slot's own come before it."""


class SlotBegan(NamedTuple):
    """A slot began on top of its parent, which has ended."""

    slot: Slot
    parent: Slot


class Acknowledged(NamedTuple):
    """A subscription was accepted."""

    request_id: int
    subscription: int


class UnreadableMessageError(ValueError):
    """No message that was asked for; the text says what it is."""


def requests(program: Pubkey) -> list[str]:
    """Return the requests that subscribe to everything."""
    accounts = [
        _request(
            int(kind),
            "programSubscribe",
            str(program),
            {"encoding": "base64", "commitment": "processed", "filters": [kind_filter(kind)]},
        )
        for kind in KINDS
    ]
    return [*accounts, _request(SLOTS_ID, "slotSubscribe")]


def read_message(text: str, kinds: dict[int, AccountKind]) -> Notice | SlotBegan | Acknowledged:
    """Read one message.

    Args:
        text: as it came.
        kinds: the kind of account that each subscription is about.

    Raises:
        UnreadableMessageError: a refusal, or nothing that was asked for.
    """
    try:
        message = json.loads(text)
        if "method" not in message:
            return Acknowledged(_natural(message["id"]), _natural(message["result"]))
        params = message["params"]
        if message["method"] == "slotNotification":
            result = params["result"]
            return _slot_began(_slot(result["slot"]), _slot(result["parent"]))
        if message["method"] == "programNotification":
            return _notice(params["result"], kinds[params["subscription"]])
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableMessageError(f"found {text[:120]!r} ({error!r})") from error
    raise UnreadableMessageError(f"found {text[:120]!r}, expected a notification asked for")


def _slot_began(slot: Slot, parent: Slot) -> SlotBegan:
    if parent >= slot:
        raise ValueError(f"slot {slot} on top of {parent}")
    return SlotBegan(slot, parent)


def _notice(result: Any, kind: AccountKind) -> Notice:  # noqa: ANN401 - JSON
    value = result["value"]
    account = value["account"]
    data, encoding = account["data"]
    if encoding != "base64":
        raise ValueError(f"account data is encoded in {encoding}")
    raw = binascii.a2b_base64(data, strict_mode=True)
    is_closed = not raw or _natural(account["lamports"]) == 0
    return Notice(
        kind=kind,
        address=bytes(Pubkey.from_string(value["pubkey"])),
        data=None if is_closed else raw,
        slot=_slot(result["context"]["slot"]),
    )


def _slot(found: object) -> Slot:
    """Slots are kept where integers have a sign."""
    if (slot := _natural(found)) > I64_MAX:
        raise ValueError(f"found slot {slot}, expected at most {I64_MAX}")
    return Slot(slot)


def _natural(found: object) -> int:
    if type(found) is not int or not 0 <= found <= U64_MAX:
        raise TypeError(f"found {found!r}, expected a u64")
    return found


def _request(number: int, method: str, *params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)})
