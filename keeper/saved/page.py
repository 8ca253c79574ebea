"""What a person is told of snapshots.

Core.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from solders.hash import Hash
from solders.pubkey import Pubkey

from keeper.saved.accounts import Accounts
from keeper.saved.books import Line
from keeper.saved.changes import Changes
from programs.layout import AccountKind
from state.snapshots.header import Header
from state.snapshots.sum_tree import SUM_NAMES

_QUOTE_E6: Final = 1_000_000
_MMT_E9: Final = 1_000_000_000


def header_json(header: Header, file_bytes: int) -> dict[str, Any]:
    """Return what a file says of itself."""
    return {
        "form": "whole" if header.base_root is None else "changes",
        "slot": header.slot,
        "genesis_hash": str(Hash.from_bytes(header.genesis_hash)),
        "program": str(Pubkey.from_bytes(header.program)),
        "root": header.root.hex(),
        "base_root": None if header.base_root is None else header.base_root.hex(),
        "base": header.base_name or None,
        "accounts": header.top.leaves,
        "totals": dict(zip(SUM_NAMES, header.top.sums, strict=True)),
        "file_bytes": file_bytes,
    }


def counts_json(counts: Mapping[AccountKind | None, int]) -> dict[str, int]:
    """Return accounts by kind."""
    return {kind_name(kind): counts[kind] for kind in sorted(counts, key=lambda kind: kind or 99)}


def header_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what `header_json` says, for people."""
    totals = found["totals"]
    rows = [
        ("form", found["form"] if not found["base"] else f"changes of {found['base']}"),
        ("slot", f"{found['slot']:,}"),
        ("genesis hash", found["genesis_hash"]),
        ("program", found["program"]),
        ("root", found["root"]),
        ("accounts", f"{found['accounts']:,}"),
        ("vault debt", f"${totals['vault_debt'] / _QUOTE_E6:,.2f}"),
        ("maker liquidity", f"{totals['maker_liquidity'] / _QUOTE_E6:,.2f}"),
        ("rewards owed", f"{totals['rewards_owed'] / _MMT_E9:,.4f} MMT"),
        ("file", f"{found['file_bytes']:,} bytes"),
    ]
    if "raw_bytes" in found:
        ratio = found["raw_bytes"] / found["file_bytes"]
        rows.append(("accounts' bytes", f"{found['raw_bytes']:,}: {ratio:.1f} times the file"))
    if "kinds" in found:
        rows += [(f"  {kind}", f"{count:,}") for kind, count in found["kinds"].items()]
    return rows


def books_json(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return the books."""
    return [
        {
            "name": line.name,
            "accounts": line.accounts,
            "counter": line.counter,
            "is_balanced": line.is_balanced,
        }
        for line in lines
    ]


def books_rows(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Return the books for people."""
    return [
        (
            line.name,
            f"{line.accounts:,}"
            if line.is_balanced
            else f"{line.accounts:,} and {line.counter}: DIFFERS",
        )
        for line in lines
    ]


def changes_json(base: Accounts, following: Accounts, changes: Changes) -> dict[str, Any]:
    """Return what changed, by kind: how many, and which."""
    found: dict[str, Any] = {}
    for kind, change in changes.tables.items():
        before, after = base.tables[kind], following.tables[kind]
        listed = {
            "closed": before.addresses[change.closed],
            "changed": before.addresses[change.changed],
            "added": after.addresses[change.added],
        }
        found[kind_name(kind)] = {
            name: [str(Pubkey.from_bytes(each.tobytes())) for each in addresses]
            for name, addresses in listed.items()
        }
    known = {address for address, _ in base.others}
    found["other"] = {
        "closed": [str(Pubkey.from_bytes(each)) for each in changes.closed],
        "changed": [str(Pubkey.from_bytes(each)) for each, _ in changes.others if each in known],
        "added": [str(Pubkey.from_bytes(each)) for each, _ in changes.others if each not in known],
    }
    return found


def changes_rows(found: Mapping[str, Mapping[str, Sequence[str]]]) -> list[tuple[str, str]]:
    """Return what changed, for people."""
    return [
        (kind, ", ".join(f"{len(listed):,} {name}" for name, listed in parts.items() if listed))
        for kind, parts in found.items()
        if any(parts.values())
    ]


def kind_name(kind: AccountKind | None) -> str:
    """Return a kind's name."""
    return "unknown" if kind is None else kind.name.lower()
