"""Save and read a platform of 21,000 markets: how small, how fast, and what each technique is worth.

    python -m bench.snapshots [--markets 21000] [--wallets 4000] [--runs 5] [--json]

The accounts are what the real program left behind after the sandbox's actors traded on all markets (_snapshot_world.py); the first
run makes them, in some minutes, and keeps them among the temporary files. Bytes are exact and so have one run. Rates are of
raw state, addresses and data of all accounts, with hashing, checking and the disk's promise included where the name says so.
"""

import argparse
import hashlib
import lzma
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from bench._snapshot_split import split_of_next, split_of_whole, touched_bytes
from bench._snapshot_world import States, states
from bench.report.figure import Beside, Figure, Goal, tell
from keeper.address_index import ADDRESS_BYTES, words_of
from keeper.saved.accounts import Accounts, take_accounts
from keeper.saved.blocks import key_fields
from keeper.saved.changes import find_changes
from keeper.saved.content import (
    blocks_of,
    gathered,
    read_content,
    write_content,
)
from keeper.saved.fields import Role
from keeper.saved.files import Saved, load, save
from keeper.saved.sums import leaf_blocks
from programs.layout import AccountKind
from state.snapshots.columns import Choice
from state.snapshots.piece import Origin
from state.snapshots.sum_tree import top_of

_MEGA: Final = 1e6
_RATIO: Final = Goal(value=10, is_most=False, source="issue 8")
_RATE: Final = Goal(value=200, is_most=False, source="issue 8")
_LZMA_PRESET: Final = 6

Runs = tuple[float, ...]


def measure(world: States, runs: int, folder: Path) -> list[Figure]:
    """Return all figures of a world."""
    first, following = take_accounts(world.first), take_accounts(world.following)
    then, now = (
        Origin(genesis_hash=world.genesis_hash, program=world.program, slot=slot)
        for slot in world.slots
    )
    whole, changes = folder / "whole.snapshot", folder / "changes.snapshot"
    save(whole, then, first)
    base = load(whole)
    save(changes, now, following, base)
    assert list(load(changes).accounts.pairs()) == list(following.pairs()), "it comes back"
    others = _other_compressors(first, world.program, whole)
    strongest = min((each for each in others if each.unit == "bytes"), key=lambda each: each.value)
    found = _sizes(first, base, whole, changes, following, strongest)
    found += split_of_whole(first, whole.stat().st_size)
    found += split_of_next(base, following, changes.stat().st_size)
    found += others
    return found + _rates(first, then, whole, runs)


def _sizes(
    first: Accounts,
    base: Saved,
    whole: Path,
    changes: Path,
    following: Accounts,
    strongest: Figure,
) -> list[Figure]:
    raw, kept = first.raw_bytes, whole.stat().st_size
    keys = _kept_key_bytes(first, base)
    told = find_changes(first, following)
    touched = touched_bytes(first, following)
    size = changes.stat().st_size
    markets = len(first.tables[AccountKind.MARKET])
    of = f"{markets:,} markets, {len(first):,} accounts"
    return [
        Figure(
            name=f"raw bytes over file bytes, keys that nothing follows from left out of both ({of})",
            unit="",
            runs=((raw - keys) / (kept - keys),),
            goal=_RATIO,
            limit=Beside(name=strongest.name, value=(raw - keys) / (strongest.value - keys)),
            claim="compression",
        ),
        Figure(
            name="the same with those keys",
            unit="",
            runs=(raw / kept,),
            baseline=Beside(name="deflate alone, level 6", value=raw / _deflated_bytes(first)),
        ),
        Figure(name="raw state", unit="bytes", runs=(raw,)),
        Figure(name="keys that nothing follows from", unit="bytes", runs=(keys,)),
        Figure(name="whole snapshot", unit="bytes", runs=(kept,)),
        Figure(
            name="next snapshot, a minute later: accounts concerned", unit="", runs=(told.count,)
        ),
        Figure(
            name="next snapshot, a minute later",
            unit="bytes",
            runs=(size,),
            baseline=Beside(name="the accounts concerned, raw", value=touched),
        ),
        Figure(
            name="next snapshot: raw state over its bytes",
            unit="",
            runs=(following.raw_bytes / size,),
        ),
        Figure(
            name="next snapshot: raw accounts concerned over its bytes",
            unit="",
            runs=(touched / size,),
        ),
    ]


def _deflated_bytes(accounts: Accounts) -> int:
    return len(zlib.compress(b"".join(address + data for address, data in accounts.pairs()), 6))


def _kept_key_bytes(accounts: Accounts, saved: Saved) -> int:
    rows = accounts.tables[AccountKind.MARKET].rows
    plain = key_fields(AccountKind.MARKET, Role.PLAIN)
    is_set = sum(int(words_of(each.keys(rows)).any(axis=1).sum()) for each in plain)
    return ADDRESS_BYTES * (is_set + len(saved.dictionary.wallets))


# Other compressors


def _other_compressors(accounts: Accounts, program: bytes, whole: Path) -> list[Figure]:
    """Tell what stronger compressors would make of the same columns."""
    pieces = write_content(accounts, program, Choice(is_compressed=False))
    plain = [each.data for each in pieces]
    deflated = Beside(name="deflate by plane, as it is", value=whole.stat().st_size)
    ways: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("deflate with matching, level 6", lambda data: zlib.compress(data, 6)),
        (f"lzma, preset {_LZMA_PRESET}", lambda data: lzma.compress(data, preset=_LZMA_PRESET)),
    )
    found = []
    for name, compress in ways:
        started_s = time.perf_counter()
        size = sum(len(compress(data)) for data in plain)
        took_s = time.perf_counter() - started_s
        rate = sum(map(len, plain)) / _MEGA / took_s
        found.append(
            Figure(
                name=f"the same columns under {name}", unit="bytes", runs=(size,), baseline=deflated
            )
        )
        found.append(Figure(name=f"columns through {name}", unit="MB/s", runs=(rate,)))
    return found


# Rates


def _rates(accounts: Accounts, origin: Origin, whole: Path, runs: int) -> list[Figure]:
    raw = accounts.raw_bytes
    joined = b"".join(address + data for address, data in accounts.pairs())
    rows = np.frombuffer(joined, np.uint8)
    copied = np.empty_like(rows)
    np.copyto(copied, rows)
    copy = Beside(
        name="copying the same bytes", value=_median(raw, runs, lambda: np.copyto(copied, rows))
    )
    deflate = Beside(
        name="deflate alone on the same bytes, level 1",
        value=_median(raw, 1, lambda: zlib.compress(joined, 1)),
    )
    inflated = zlib.compress(joined, 1)
    inflate = Beside(
        name="inflating what deflate alone made",
        value=_median(raw, runs, lambda: zlib.decompress(inflated)),
    )
    pieces = list(write_content(accounts, origin.program))
    program = origin.program
    derived = sum(map(len, accounts.tables.values())) + len(accounts.tables[AccountKind.MARKET])
    root_hashes, all_hashes = _hash_rate(accounts, 0), _hash_rate(accounts, derived)
    parts: tuple[tuple[str, Callable[[], object], Goal | None, Beside, Beside], ...] = (
        (
            "packing: columns, derived keys compared, compressed",
            lambda: list(write_content(accounts, program)),
            None,
            deflate,
            copy,
        ),
        (
            "the root: two sha256 an account",
            lambda: top_of(leaf_blocks(blocks_of(accounts)), len(accounts)),
            None,
            deflate,
            root_hashes,
        ),
        (
            "writing a file: packed, under its root, on disk",
            lambda: save(whole, origin, accounts),
            _RATE,
            deflate,
            all_hashes,
        ),
        (
            "unpacking: columns, keys derived",
            lambda: gathered(read_content(pieces, program, raw)),
            None,
            inflate,
            copy,
        ),
        (
            "reading a file: checked, unpacked, keys derived",
            lambda: load(whole),
            _RATE,
            inflate,
            copy,
        ),
    )
    return [
        Figure(
            name=name,
            unit="MB/s",
            runs=_run(raw, runs, work),
            goal=goal,
            baseline=baseline,
            limit=limit,
        )
        for name, work, goal, baseline, limit in parts
    ]


def _hash_rate(accounts: Accounts, keys: int) -> Beside:
    """Tell how fast this Python hashes: as many leaves and nodes as a root takes, and so many derived keys."""
    leaves = [address + data for address, data in accounts.pairs()]
    rest = [bytes(113)] * (len(leaves) + keys)

    def work() -> None:
        for each in map(hashlib.sha256, leaves):
            each.digest()
        for each in map(hashlib.sha256, rest):
            each.digest()

    return Beside(
        name=f"hashlib alone, as many hashes: {len(leaves) + len(rest):,}",
        value=_median(accounts.raw_bytes, 3, work),
    )


def _run(raw: int, runs: int, work: Callable[[], object]) -> Runs:
    """Return MB of raw state a second, run by run."""
    found = []
    for _ in range(runs):
        started_s = time.perf_counter()
        work()
        found.append(raw / _MEGA / (time.perf_counter() - started_s))
    return tuple(found)


def _median(raw: int, runs: int, work: Callable[[], object]) -> float:
    found = sorted(_run(raw, runs, work))
    return found[len(found) // 2]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.snapshots", description=__doc__)
    parser.add_argument("--markets", type=int, default=21_000)
    parser.add_argument("--wallets", type=int, default=4_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="snapshots-") as folder:
        figures = measure(states(asked.markets, asked.wallets), asked.runs, Path(folder))
    tell("snapshots", figures, as_json=asked.json)


if __name__ == "__main__":
    main()
