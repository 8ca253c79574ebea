"""A reward root's manifest: the file in which whoever posted a root tells the keeper what its leaves pay.

Core. The keeper and whoever owes the money know each other through such files alone; a file is believed only when its tree
has the root that stands on chain. A manifest is one JSON object:

    {"epoch": 3, "index": 0, "root": "<64 hex digits>", "leaves": [["<wallet, base58>", <MMT base units>], ...]}

`leaves` in the order of the tree, amounts as integers. Other keys may be there and are not read.
"""

import json
import reprlib
from dataclasses import dataclass
from typing import Any, Final

from solders.pubkey import Pubkey

from programs.merkle import HASH_BYTES, LEAVES_MAX, Reward
from programs.units import U64_MAX, BaseUnits

MANIFEST_BYTES_MAX: Final = 16 << 20
"""65_536 leaves of at most 70 bytes are 4.6 MB; indented, twice that."""
_INDEX_MAX: Final = 2**32 - 1


class ManifestError(ValueError):
    """The file is no manifest; one sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one root pays."""

    epoch: int
    index: int
    """Of this root among the epoch's."""
    root: bytes
    rewards: tuple[Reward, ...]


def parse_manifest(body: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ManifestError: it is no JSON object of the shape above, or a number is out of its range.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ManifestError(f"found a {type(found).__name__}, expected one JSON object")
    leaves = found.get("leaves")
    if not isinstance(leaves, list) or not 1 <= len(leaves) <= LEAVES_MAX:
        raise ManifestError(f"leaves: expected a list of 1 to {LEAVES_MAX}")
    rewards = tuple(_reward(number, leaf) for number, leaf in enumerate(leaves))
    if sum(reward.amount for reward in rewards) > U64_MAX:
        raise ManifestError("leaves: their amounts sum to more than a u64")
    return Manifest(
        epoch=_number(found, "epoch", U64_MAX),
        index=_number(found, "index", _INDEX_MAX),
        root=_root(found.get("root")),
        rewards=rewards,
    )


def _number(found: dict[str, Any], name: str, most: int) -> int:
    value = found.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise ManifestError(
            f"{name}: found {reprlib.repr(value)}, expected an integer from 0 to {most}"
        )
    return value


def _root(value: object) -> bytes:
    try:
        root = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        root = b""
    if len(root) != HASH_BYTES:
        raise ManifestError(
            f"root: found {reprlib.repr(value)}, expected {2 * HASH_BYTES} hex digits"
        )
    return root


def _reward(number: int, leaf: object) -> Reward:
    match leaf:
        case [str(wallet), amount] if type(amount) is int and 0 <= amount <= U64_MAX:
            try:
                return Reward(wallet=Pubkey.from_string(wallet), amount=BaseUnits(amount))
            except ValueError as error:
                raise ManifestError(
                    f"leaves[{number}]: {reprlib.repr(wallet)} is no address in base58"
                ) from error
        case _:
            raise ManifestError(
                f"leaves[{number}]: found {reprlib.repr(leaf)}, expected [wallet, amount], the amount a u64"
            )
