"""What websocket clients asked to hear of, and what each closed slot gives them.

A subscription hears of a block once, when that block reaches its commitment. Everything it is told is read from
its node at that block's slot, so nothing has to be kept for it in between.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM

from programs.localnet.account_json import AccountFilter, AccountView, parse_filters
from programs.localnet.account_methods import passes
from programs.localnet.bank import Commitment
from programs.localnet.jsonrpc import method_not_found
from programs.localnet.node import Node
from programs.localnet.params import Config, Params, as_config, parse_address, parse_list
from programs.localnet.rpc_errors import RpcError, invalid_params
from programs.units import Slot

SUBSCRIPTIONS_MAX: Final = 10_000
"""Subscriptions of one connection; a bound of ours."""
_CLOSED: Final = Account(lamports=0, data=b"", owner=SYSTEM_PROGRAM, executable=False)


class Subscription(Protocol):
    """One interest of one client."""

    @property
    def notification(self) -> str:
        """The name its notifications carry."""
        ...

    @property
    def is_once(self) -> bool:
        """Whether the first notification ends it."""
        ...

    def results(self, node: Node) -> list[object]:
        """What the slot now closing has to tell; called once per slot, before the next one opens."""
        ...


@dataclass(frozen=True, slots=True)
class SlotSubscription:
    """Every slot."""

    notification: str = "slotNotification"
    is_once: bool = False

    def results(self, node: Node) -> list[object]:
        """The closing slot."""
        root = node.slot_at("finalized")
        tip = node.tip
        return [{"slot": tip.slot, "parent": tip.parent, "root": root}]


@dataclass(frozen=True, slots=True)
class RootSubscription:
    """Every slot that becomes final."""

    notification: str = "rootNotification"
    is_once: bool = False

    def results(self, node: Node) -> list[object]:
        """The slots that the closing one makes final."""
        return list(node.arriving("finalized"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSubscription:
    """One account's writes."""

    address: Pubkey
    view: AccountView
    commitment: Commitment
    notification: str = "accountNotification"
    is_once: bool = False

    def results(self, node: Node) -> list[object]:
        """The account, if an arriving block wrote it or a fork reverted it; a closed one shows no lamports."""
        return [
            _with_slot(
                slot,
                _rendered(node, slot, self.view, node.account_at(self.address, slot) or _CLOSED),
            )
            for slot in node.arriving(self.commitment)
            if self.address in node.written_in(slot, self.commitment)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSubscription:
    """Writes to a program's accounts."""

    program: Pubkey
    view: AccountView
    filters: list[AccountFilter]
    commitment: Commitment
    notification: str = "programNotification"
    is_once: bool = False

    def results(self, node: Node) -> list[object]:
        """Those accounts of the program that an arriving block wrote and that pass the filters.

        What a fork reverted is not among them, as in agave: only another read shows it.
        """
        results: list[object] = []
        for slot in node.arriving(self.commitment):
            for address in node.bank.written_in(slot):
                account = node.account_at(address, slot)
                if account is None or account.owner != self.program:
                    continue
                if not self.filters or passes(account.data, self.filters):
                    rendered = _rendered(node, slot, self.view, account)
                    value = {"pubkey": str(address), "account": rendered}
                    results.append(_with_slot(slot, value))
        return results


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSubscription:
    """One transaction's landing."""

    signature: Signature
    commitment: Commitment
    notification: str = "signatureNotification"
    is_once: bool = True

    def results(self, node: Node) -> list[object]:
        """How it ended, once its slot has reached the commitment."""
        record = node.status(self.signature)
        if record is None or record.slot > node.slot_at(self.commitment):
            return []
        return [_with_slot(record.slot, {"err": record.error})]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsSubscription:
    """The logs of all transactions, or of those that mention an address."""

    mentions: Pubkey | None
    commitment: Commitment
    notification: str = "logsNotification"
    is_once: bool = False

    def results(self, node: Node) -> list[object]:
        """One notification for each transaction of an arriving block."""
        return [
            _with_slot(
                slot,
                {
                    "signature": str(record.signature),
                    "err": record.error,
                    "logs": record.meta.logs(),
                },
            )
            for slot in node.arriving(self.commitment)
            for record in node.records_in(slot)
            if self.mentions is None or self.mentions in record.locked.addresses
        ]


@dataclass(slots=True)
class Subscriptions:
    """All subscriptions of one connection."""

    node: Node
    _active: dict[int, Subscription] = field(default_factory=dict)
    _last_id: int = -1

    def answer(self, method: str, params: Params) -> object:
        """Subscribe or unsubscribe.

        Raises:
            RpcError: The method is none of these, or its parameters cannot be used.
        """
        subscribe = _SUBSCRIBE.get(method)
        if subscribe is not None:
            if len(self._active) >= SUBSCRIPTIONS_MAX:
                raise invalid_params(f"a connection has at most {SUBSCRIPTIONS_MAX} subscriptions")
            self._last_id += 1
            self._active[self._last_id] = subscribe(params)
            return self._last_id
        if not method.endswith("Unsubscribe") or f"{method[:-11]}Subscribe" not in _SUBSCRIBE:
            raise method_not_found()
        number = params.integer()
        wanted = f"{method[:-11]}Notification"
        if number not in self._active or self._active[number].notification != wanted:
            raise RpcError(-32602, "Invalid subscription id.")
        del self._active[number]
        return True

    def due(self) -> list[dict[str, object]]:
        """The notifications that the closing slot gives this connection."""
        messages: list[dict[str, object]] = []
        for number, subscription in list(self._active.items()):
            for result in subscription.results(self.node):
                params = {"result": result, "subscription": number}
                messages.append(
                    {"jsonrpc": "2.0", "method": subscription.notification, "params": params}
                )
                if subscription.is_once:
                    del self._active[number]
        return messages


def _with_slot(slot: Slot, value: object) -> dict[str, object]:
    return {"context": {"slot": slot}, "value": value}


def _rendered(node: Node, slot: Slot, view: AccountView, account: Account) -> dict[str, object]:
    return view.render(account, lambda address: node.account_at(address, slot))


def _view(config: Config) -> AccountView:
    view = AccountView.parse(config)
    if view.encoding in {"binary", "base58"}:
        # Only short data has a base58 form, and a notification is no place for an error: base64 holds anything,
        # and clients decode by the encoding's name beside the data.
        return AccountView(encoding="base64", slice_at=view.slice_at, slice_bytes=view.slice_bytes)
    return view


def _account(params: Params) -> Subscription:
    config = params.config(1)
    return AccountSubscription(
        address=params.address(), view=_view(config), commitment=config.commitment()
    )


def _program(params: Params) -> Subscription:
    config = params.config(1)
    return ProgramSubscription(
        program=params.address(),
        view=_view(config),
        filters=parse_filters(config),
        commitment=config.commitment(),
    )


def _signature(params: Params) -> Subscription:
    return SignatureSubscription(
        signature=params.signature(), commitment=params.config(1).commitment()
    )


def _logs(params: Params) -> Subscription:
    commitment = params.config(1).commitment()
    wanted = params.get(0)
    if isinstance(wanted, str) and wanted in {"all", "allWithVotes"}:
        return LogsSubscription(mentions=None, commitment=commitment)
    mentions = parse_list(as_config(wanted, "the filter").get("mentions"), "mentions", 1)
    if not mentions:
        raise invalid_params("Only 1 address supported")
    return LogsSubscription(mentions=parse_address(mentions[0]), commitment=commitment)


def _slot(_params: Params) -> Subscription:
    return SlotSubscription()


def _root(_params: Params) -> Subscription:
    return RootSubscription()


_SUBSCRIBE: Final[Mapping[str, Callable[[Params], Subscription]]] = {
    "accountSubscribe": _account,
    "logsSubscribe": _logs,
    "programSubscribe": _program,
    "rootSubscribe": _root,
    "signatureSubscribe": _signature,
    "slotSubscribe": _slot,
}
