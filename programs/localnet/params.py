"""The parameters of a request, read one by one; what does not fit is refused with agave's code -32602."""

from collections.abc import Mapping, Sequence
from typing import cast

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.localnet.bank import Commitment
from programs.localnet.node import Node
from programs.localnet.rpc_errors import (
    MIN_CONTEXT_SLOT_NOT_REACHED,
    RpcError,
    invalid_params,
)
from programs.units import U64_MAX, Slot

_COMMITMENTS = ("processed", "confirmed", "finalized")
_OLD_COMMITMENTS = {"recent": "processed", "single": "confirmed", "singleGossip": "confirmed"}
_OLD_COMMITMENTS |= {"root": "finalized", "max": "finalized"}


def parse_address(value: object, what: str = "address") -> Pubkey:
    """Read a base58 address."""
    if not isinstance(value, str):
        raise invalid_params(f"{what} must be a base58 string, found {_shown(value)}")
    try:
        return Pubkey.from_string(value)
    except ValueError as error:
        raise RpcError(-32602, f"Invalid param: {_invalid_key(value)}") from error


def parse_signature(value: object) -> Signature:
    """Read a base58 signature."""
    if not isinstance(value, str):
        raise invalid_params(f"signature must be a base58 string, found {_shown(value)}")
    try:
        return Signature.from_string(value)
    except ValueError as error:
        raise RpcError(-32602, f"Invalid param: {_invalid_key(value)}") from error


def parse_integer(value: object, what: str, maximum: int = U64_MAX) -> int:
    """Read an integer from 0 to `maximum`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= maximum:
        raise invalid_params(
            f"{what} must be an integer from 0 to {maximum}, found {_shown(value)}"
        )
    return value


def parse_list(value: object, what: str, maximum: int) -> Sequence[object]:
    """Read a list of at most `maximum` items."""
    if not isinstance(value, list):
        raise invalid_params(f"{what} must be a list, found {_shown(value)}")
    if len(value) > maximum:
        raise invalid_params(f"Too many inputs provided; max {maximum}")
    return value


class Config:
    """A configuration object; unknown keys are ignored, as serde does in agave."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def get(self, name: str) -> object:
        """The raw value, or None."""
        return self._values.get(name)

    def flag(self, name: str) -> bool:
        """A boolean, False when absent."""
        value = self._values.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise invalid_params(f"{name} must be true or false, found {_shown(value)}")
        return value

    def integer(self, name: str, maximum: int = U64_MAX) -> int | None:
        """An integer, None when absent."""
        value = self._values.get(name)
        return None if value is None else parse_integer(value, name, maximum)

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of `choices`."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in choices:
            raise invalid_params(
                f"unknown variant {_shown(value)} of {name}, expected one of {', '.join(choices)}"
            )
        return value

    def commitment(self, default: Commitment = "finalized", name: str = "commitment") -> Commitment:
        """A commitment; the deprecated names of agave 1.x still count."""
        value = self._values.get(name)
        if value is None:
            return default
        value = _OLD_COMMITMENTS.get(value, value) if isinstance(value, str) else value
        if value not in _COMMITMENTS:
            raise invalid_params(
                f"unknown variant {_shown(value)}, expected one of {', '.join(_COMMITMENTS)}"
            )
        return cast("Commitment", value)

    def nested(self, name: str) -> "Config | None":
        """An object within, None when absent."""
        value = self._values.get(name)
        return None if value is None else as_config(value, name)

    def slot(self, node: Node, default: Commitment = "finalized") -> Slot:
        """The slot to read at: the newest of the commitment, if it has reached `minContextSlot`."""
        slot = node.slot_at(self.commitment(default))
        self.check_context(slot)
        return slot

    def check_context(self, slot: Slot) -> None:
        """Refuse to read at `slot` when the client has seen a later one."""
        wanted = self.integer("minContextSlot")
        if wanted is not None and slot < wanted:
            raise RpcError(
                MIN_CONTEXT_SLOT_NOT_REACHED,
                "Minimum context slot has not been reached",
                {"contextSlot": slot},
            )


class Params:
    """The positional parameters of one request."""

    def __init__(self, values: Sequence[object]) -> None:
        self._values = values

    def get(self, position: int) -> object:
        """The raw parameter, or None."""
        return self._values[position] if position < len(self._values) else None

    def address(self, position: int = 0) -> Pubkey:
        """A required address."""
        return parse_address(self._required(position))

    def signature(self, position: int = 0) -> Signature:
        """A required signature."""
        return parse_signature(self._required(position))

    def integer(self, position: int = 0, maximum: int = U64_MAX) -> int:
        """A required integer."""
        return parse_integer(self._required(position), f"parameter {position + 1}", maximum)

    def text(self, position: int = 0) -> str:
        """A required string."""
        value = self._required(position)
        if not isinstance(value, str):
            raise invalid_params(f"parameter {position + 1} must be text, found {_shown(value)}")
        return value

    def blockhash(self, position: int = 0) -> Hash:
        """A required blockhash."""
        text = self.text(position)
        try:
            return Hash.from_string(text)
        except (ValueError, ParseHashError) as error:
            raise invalid_params(f"{text[:64]!r} is no blockhash") from error

    def items(self, position: int, maximum: int) -> Sequence[object]:
        """A required list of at most `maximum` items."""
        return parse_list(self._required(position), f"parameter {position + 1}", maximum)

    def config(self, position: int) -> Config:
        """An optional configuration object."""
        value = self.get(position)
        return Config({}) if value is None else as_config(value, f"parameter {position + 1}")

    def _required(self, position: int) -> object:
        if position >= len(self._values):
            raise RpcError(
                -32602,
                f"`params` should have at least {position + 1} argument(s), found {len(self._values)}",
            )
        return self._values[position]


def as_config(value: object, what: str) -> Config:
    """Read a configuration object.

    Raises:
        RpcError: It is no object.
    """
    if not isinstance(value, dict):
        raise invalid_params(f"{what} must be an object, found {_shown(value)}")
    return Config(value)


def _shown(value: object) -> str:
    return repr(value)[:80]


def _invalid_key(text: str) -> str:
    return "WrongSize" if len(text) > 0 and text.isalnum() else "Invalid"
