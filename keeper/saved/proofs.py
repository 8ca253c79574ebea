"""That a root counts an account, as JSON that `check.py` reads.

Core.
"""

from base64 import b64encode
from typing import Any

from solders.hash import Hash
from solders.pubkey import Pubkey

from state.snapshots.header import Header
from state.snapshots.sum_tree import NODE_BYTES, SUM_NAMES, Path

_HASH_BYTES = 32


def proof_json(header: Header, address: bytes, data: bytes, path: Path) -> dict[str, Any]:
    """Return a proof; amounts are quote base units, and MMT base units for rewards."""
    return {
        "format": "betting-state-proof-1",
        "genesis_hash": str(Hash.from_bytes(header.genesis_hash)),
        "program": str(Pubkey.from_bytes(header.program)),
        "slot": header.slot,
        "root": header.root.hex(),
        "leaves": header.top.leaves,
        "totals": dict(zip(SUM_NAMES, header.top.sums, strict=True)),
        "account": str(Pubkey.from_bytes(address)),
        "data": b64encode(data).decode(),
        "index": path.index,
        "path": [_sibling_json(each) for each in path.siblings],
    }


def _sibling_json(node: bytes) -> dict[str, Any]:
    assert len(node) == NODE_BYTES, "a path lists nodes"
    sums = [int.from_bytes(node[at : at + 8], "little") for at in range(_HASH_BYTES, NODE_BYTES, 8)]
    return {"hash": node[:_HASH_BYTES].hex(), **dict(zip(SUM_NAMES, sums, strict=True))}
