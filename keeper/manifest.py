"""A reward root's manifest: the file in which whoever posted a root tells the keeper what its leaves pay.

Core. The keeper and whoever owes the money know each other through such files alone; a file is believed only when its tree
has the root that stands on chain. A manifest is one JSON object:

    {"genesis_hash": "<base58>", "program": "<base58>", "epoch": 3, "index": 0, "root": "<64 hex digits>",
     "leaves": [["<wallet, base58>", <MMT base units>], ...]}

`leaves` in the order of the tree, amounts as integers. Other keys may be there and are not read. The cluster's genesis hash and
the program may be missing: such a manifest is paid where its root stands, but its root is never posted. Where the leaves come
last, as the incentives service writes them, a look at the first page tells what the file is about.
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
HEAD_BYTES_MAX: Final = 4_096
"""What comes before the leaves; a file with more of it is read whole."""
_INDEX_MAX: Final = 2**32 - 1
_LEAVES_KEY: Final = b'"leaves"'


class ManifestError(ValueError):
    """The file is no manifest; one sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestHead:
    """Which root it is."""

    epoch: int
    index: int
    """Of this root among the epoch's."""
    root: bytes
    genesis_hash: str | None = None
    """Of the cluster it is for; None: it does not say."""
    program: str | None = None

    @property
    def names_its_chain(self) -> bool:
        """Whether it says where it belongs: only then may its root be posted."""
        return self.genesis_hash is not None and self.program is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one root pays."""

    head: ManifestHead
    rewards: tuple[Reward, ...]

    @property
    def epoch(self) -> int:
        """Where its root belongs: the epoch as the program counts them."""
        return self.head.epoch

    @property
    def index(self) -> int:
        """Of its root among the epoch's."""
        return self.head.index

    @property
    def root(self) -> bytes:
        """Which it names."""
        return self.head.root


def peek(start: bytes) -> ManifestHead | None:
    """Read what a file is about from its first HEAD_BYTES_MAX bytes; None: it has to be read whole."""
    head, found, _ = start.partition(_LEAVES_KEY)
    if not found:
        return None
    try:
        keys = json.loads(head.rstrip().removesuffix(b",") + b"}")
        known = _head(keys) if isinstance(keys, dict) else None
    except (ValueError, RecursionError):
        # A ManifestError too: read whole, the file gets the sentence that it deserves.
        return None
    # What is missing may come after the leaves.
    return known if known is not None and known.names_its_chain else None


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
    return Manifest(head=_head(found), rewards=rewards)


def _head(found: dict[str, Any]) -> ManifestHead:
    return ManifestHead(
        epoch=_number(found, "epoch", U64_MAX),
        index=_number(found, "index", _INDEX_MAX),
        root=_root(found.get("root")),
        genesis_hash=_text(found, "genesis_hash"),
        program=_text(found, "program"),
    )


def _text(found: dict[str, Any], name: str) -> str | None:
    value = found.get(name)
    if value is not None and not isinstance(value, str):
        raise ManifestError(f"{name}: found {reprlib.repr(value)}, expected a text in base58")
    return value


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
