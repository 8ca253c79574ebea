"""The first 384 bytes of a snapshot: what it is of, its root and sums, and how long and what the rest is.

Core. The layout is in docs/snapshots.md. A reader checks the header by its own hash, and the rest by the hash in it, before it
looks at anything else; neither is a signature: whoever can write the file can write another one. The root says what it holds.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from state.snapshots.errors import SnapshotDamaged
from state.snapshots.sum_tree import Top

VERSION: Final = 1
HEADER_BYTES: Final = 384
SECTION: Final = struct.Struct("<BII")
"""Before each section: its kind, rows, and bytes."""
NAME_BYTES_MAX: Final = 88
_MAGIC: Final = b"BETSNAP\0"
_FIELDS: Final = struct.Struct(f"<8sHBBIQQ3QQQ32s32s32s32s32s{NAME_BYTES_MAX}s32s")
_HASH: Final = struct.Struct("<32s")
_WHOLE, _CHANGES = range(2)
_RATIO_MAX: Final = 64
_FREE_BYTES: Final = 64 << 20

assert _FIELDS.size + _HASH.size == HEADER_BYTES, "the layout is documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a snapshot says of itself."""

    genesis_hash: bytes
    """Of the cluster."""
    program: bytes
    slot: int
    """At which it was read."""
    top: Top
    root: bytes
    base_root: bytes | None
    """Of the snapshot that it holds the changes of; None: it is whole."""
    base_name: str
    """The file name that this one had; empty where there is none."""
    sections: int
    body_bytes: int
    raw_bytes: int
    """What its own rows take once unpacked."""
    body_hash: bytes

    @property
    def context(self) -> bytes:
        """What the root is bound to."""
        return self.genesis_hash + self.program

    def packed(self) -> bytes:
        """Return the bytes."""
        packed = _FIELDS.pack(
            _MAGIC,
            VERSION,
            _WHOLE if self.base_root is None else _CHANGES,
            0,
            self.sections,
            self.slot,
            self.top.leaves,
            *self.top.sums,
            self.body_bytes,
            self.raw_bytes,
            self.genesis_hash,
            self.program,
            self.root,
            self.top.hash,
            self.base_root or bytes(32),
            self.base_name.encode(),
            self.body_hash,
        )
        return packed + hashlib.sha256(packed).digest()


def raw_bytes_max(file_bytes: int) -> int:
    """Return how much a file of that size may unpack to: more is no snapshot, but an attempt on the reader's memory."""
    return _RATIO_MAX * file_bytes + _FREE_BYTES


def _is_file_name(name: str) -> bool:
    """Whether it names a file beside this one, in letters that may be shown."""
    return name.isprintable() and "/" not in name and name not in {"", ".", ".."}


def read_header(data: bytes, file_bytes: int) -> Header:
    """Read the first bytes of a file.

    Raises:
        SnapshotDamaged: it is no snapshot, of another version, cut, or longer than it says.
    """
    if data[: len(_MAGIC)] != _MAGIC:
        raise SnapshotDamaged("found other first bytes than a snapshot's")
    if len(data) < HEADER_BYTES:
        raise SnapshotDamaged(f"found {len(data)} bytes, expected {HEADER_BYTES} and more")
    version = int.from_bytes(data[8:10], "little")
    if version != VERSION:
        raise SnapshotDamaged(f"found version {version}, this release reads version {VERSION}")
    packed = data[: _FIELDS.size]
    if hashlib.sha256(packed).digest() != data[_FIELDS.size : HEADER_BYTES]:
        raise SnapshotDamaged("found a header that is not the one of its hash")
    _, _, form, _, sections, slot, leaves, *rest = _FIELDS.unpack(packed)
    debt, liquidity, rewards, body_bytes, raw_bytes, *rest = rest
    genesis_hash, program, root, top_hash, base_root, base_name, body_hash = rest
    if form not in {_WHOLE, _CHANGES}:
        raise SnapshotDamaged(f"found form {form}, expected 0 or 1")
    if file_bytes != HEADER_BYTES + body_bytes:
        raise SnapshotDamaged(
            f"found {file_bytes} bytes, expected {HEADER_BYTES + body_bytes}: it is cut, or something was added"
        )
    if raw_bytes > raw_bytes_max(file_bytes):
        raise SnapshotDamaged(f"found {file_bytes} bytes that would unpack to {raw_bytes}")
    top = Top(hash=top_hash, sums=(debt, liquidity, rewards), leaves=leaves)
    if not leaves or top.root(genesis_hash + program) != root:
        raise SnapshotDamaged("found a root that does not follow from the top of its tree")
    try:
        name = base_name.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        name = ""
    return Header(
        genesis_hash=genesis_hash,
        program=program,
        slot=slot,
        top=top,
        root=root,
        base_root=base_root if form == _CHANGES else None,
        base_name=name if _is_file_name(name) else "",
        sections=sections,
        body_bytes=body_bytes,
        raw_bytes=raw_bytes,
        body_hash=body_hash,
    )
