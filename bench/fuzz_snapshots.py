"""Bend snapshots and read them as `keeper snapshot` does: each is one clear sentence, or is believed for good reasons.

    python -m bench.fuzz_snapshots --for 60s
    python -m bench.fuzz_snapshots --cases 2000 --seed 7

Each case is a sound snapshot of a small platform, whole or of changes, with sections cut, repeated, moved, exchanged with the other
one's, numbers replaced by extreme ones, bytes flipped, put in and left out, and header fields that lie. Its hashes are made to fit
again, so that all of it reaches the parser; where it is read at all, its root as well. Then it is read, verified, compared, and an
account of it is proved. Three things must hold: nothing but a StateError of one line is raised, none of it takes longer than
a few seconds, and whatever is believed has the accounts of its root, each once, in their own order. Stops at the first case that
breaks one, and prints its seed.
"""

import argparse
import hashlib
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

from bench._snapshot_world import make_states
from keeper.saved.accounts import Accounts, take_accounts
from keeper.saved.books import Books
from keeper.saved.changes import find_changes
from keeper.saved.content import blocks_of
from keeper.saved.files import load, proof_of, save, verified
from keeper.saved.page import books_rows, changes_json, changes_rows, header_json, header_rows
from keeper.saved.proofs import proof_json
from keeper.saved.sums import leaf_blocks
from state.errors import StateError
from state.snapshots.file import load_header, read_pieces
from state.snapshots.header import HEADER_BYTES, SECTION, Header, raw_bytes_max
from state.snapshots.piece import Origin, Piece
from state.snapshots.sum_tree import top_of

CASE_S_MAX: Final = 10.0
"""Of one case, on a machine that others use too."""
WHOLE, CHANGES = "whole.snapshot", "changes.snapshot"
_HASHED_BYTES: Final = HEADER_BYTES - 32
_EXTREMES: Final = (
    0, 1, 2, 7, 127, 128, 255, 256, 2**15 - 1, 2**15, 2**15 + 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1,
    2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
_SECTIONS: Final = (0, 3, 4, 5, 6, 7, 16, 17, 18, 19, 35, 36, 37, 67, 68, 99, 100, 254, 255)


class BeliefError(Exception):
    """A bent snapshot was believed that says something of itself that is not so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Snapshots as they were written."""

    first: Accounts
    files: dict[str, tuple[Header, tuple[Piece, ...]]]
    data: dict[str, bytes]


def write_sound(folder: Path, markets: int = 8, wallets: int = 12) -> Sound:
    """Write a small platform, and what changed of it in a minute."""
    states = make_states(markets, wallets, next_rounds_percent=40)
    first, following = take_accounts(states.first), take_accounts(states.following)
    origins = [
        Origin(genesis_hash=states.genesis_hash, program=states.program, slot=slot)
        for slot in states.slots
    ]
    save(folder / WHOLE, origins[0], first)
    save(folder / CHANGES, origins[1], following, load(folder / WHOLE))
    files = {}
    for name in (WHOLE, CHANGES):
        header = load_header(folder / name)
        files[name] = (header, tuple(read_pieces(folder / name, header)))
    data = {name: (folder / name).read_bytes() for name in files}
    return Sound(first=first, files=files, data=data)


def sealed(header: Header, pieces: Sequence[Piece], tail: bytes = b"") -> bytes:
    """Return a file of these sections whose hashes and lengths fit, whatever is in it."""
    body = b"".join(
        SECTION.pack(each.section, each.rows, len(each.data)) + each.data for each in pieces
    )
    return sealed_body(replace(header, sections=len(pieces)), body + tail)


def sealed_body(header: Header, body: bytes) -> bytes:
    """Return a file of this body whose hashes and lengths fit."""
    told = min(header.raw_bytes, raw_bytes_max(HEADER_BYTES + len(body)))
    hashed = hashlib.sha256(body).digest()
    fitting = replace(header, body_bytes=len(body), raw_bytes=told, body_hash=hashed)
    return replace(fitting, root=fitting.top.root(fitting.context)).packed() + body


def rehashed(data: bytes) -> bytes:
    """Return a file whose header has the hash that it should."""
    front = data[:_HASHED_BYTES]
    return front + hashlib.sha256(front).digest() + data[HEADER_BYTES:]


class Bender:
    """Makes one bent file after the other."""

    def __init__(self, sound: Sound, draws: Random) -> None:
        self._sound, self._draws = sound, draws

    def bent(self, name: str) -> bytes:
        """Return a file that no writer would have written."""
        draws = self._draws
        header, pieces = self._sound.files[name]
        if draws.random() < 0.15:
            header = self._bent_header(header)
        if draws.random() < 0.3:  # few bytes may tell of as many rows as any reader takes
            header = replace(header, raw_bytes=2**63)
        listed = list(pieces)
        for _ in range(draws.choice((1, 1, 1, 2, 3))):
            self._bend(listed)
        tail = draws.randbytes(draws.randrange(1, 20)) if draws.random() < 0.03 else b""
        data = sealed(header, listed, tail)
        if draws.random() < 0.1:
            body = data[HEADER_BYTES : draws.randrange(HEADER_BYTES, len(data))]
            data = sealed_body(replace(header, sections=len(listed)), body)
        if draws.random() < 0.05:
            at = draws.randrange(8, _HASHED_BYTES)
            data = rehashed(data[:at] + draws.randbytes(1) + data[at + 1 :])
        return data

    def _bend(self, pieces: list[Piece]) -> None:
        draws = self._draws
        at = draws.randrange(len(pieces)) if pieces else 0
        others = self._sound.files[draws.choice((WHOLE, CHANGES))][1]
        match draws.randrange(9):
            case 0 if pieces:
                del pieces[at]
            case 1 if pieces:
                pieces.insert(draws.randrange(len(pieces) + 1), pieces[at])
            case 2 if pieces:
                pieces.insert(draws.randrange(len(pieces)), pieces.pop(at))
            case 3:
                pieces.insert(at, draws.choice(others))
            case 4 if pieces:
                pieces[at] = replace(pieces[at], section=draws.choice(_SECTIONS))
            case 5 if pieces:
                near = pieces[at].rows + draws.choice((-1, 1, 2, 100))
                rows = draws.choice((near, draws.choice(_EXTREMES)))
                pieces[at] = replace(pieces[at], rows=min(max(rows, 0), 2**32 - 1))
            case _ if pieces:
                pieces[at] = replace(pieces[at], data=self._bent_bytes(pieces[at].data))
            case _:
                pieces.append(Piece(section=draws.choice(_SECTIONS), rows=0, data=b""))

    def _bent_bytes(self, data: bytes) -> bytes:
        draws, size = self._draws, len(data)
        at = draws.randrange(size + 1)
        match draws.randrange(6):
            case 0:
                width = draws.choice((1, 2, 4, 8))
                number = draws.choice(_EXTREMES) % (1 << 8 * width)
                return data[:at] + number.to_bytes(width, "little") + data[at + width :]
            case 1:
                return data[:at] + draws.randbytes(draws.randrange(1, 9)) + data[at:]
            case 2:
                return data[:at] + data[at + draws.randrange(1, 40) :]
            case 3:
                return data[:at]
            case 4 if size:
                start = draws.randrange(size)
                return data[:at] + data[start : start + draws.randrange(1, 80)] + data[at:]
            case _:
                flipped = bytearray(data)
                for _ in range(draws.choice((1, 1, 2, 5)) if size else 0):
                    flipped[draws.randrange(size)] ^= 1 << draws.randrange(8)
                return bytes(flipped)

    def _bent_header(self, header: Header) -> Header:
        draws = self._draws
        number = draws.choice(_EXTREMES)
        match draws.randrange(8):
            case 0:
                return replace(header, slot=number)
            case 1:
                return replace(header, top=replace(header.top, leaves=number))
            case 2:
                sums = (number, *header.top.sums[1:])
                return replace(header, top=replace(header.top, sums=sums))
            case 3:
                return replace(header, raw_bytes=number)
            case 4:
                names = (WHOLE, CHANGES, "", ".", "..", "/", "a\0b", "a\nb", "\x1b[2J", "x" * 80)
                return replace(header, base_name=draws.choice(names))
            case 5:
                return replace(header, base_root=None if header.base_root else header.root)
            case 6:
                return replace(header, program=draws.randbytes(32))
            case _:
                return replace(header, genesis_hash=draws.randbytes(32))


def read_all(path: Path, sound: Sound, draws: Random) -> None:
    """Do with a file what the commands do.

    Raises:
        StateError: it is not believed.
        BeliefError: it is, and should not be.
    """
    header, books = verified(path)
    books_rows(books.lines(header.top.sums))
    saved = load(path)
    for _ in Books().passing(blocks_of(saved.accounts)):
        pass
    header_rows(header_json(saved.header, path.stat().st_size))
    for one, other in ((sound.first, saved.accounts), (saved.accounts, sound.first)):
        changes_rows(changes_json(one, other, find_changes(one, other)))
    pairs = list(saved.accounts.pairs())
    if len({address for address, _ in pairs}) != len(pairs):
        raise BeliefError("an account stands in it twice")
    again = take_accounts(pairs)
    if list(again.pairs()) != pairs:
        raise BeliefError("its accounts are not in their order")
    if top_of(leaf_blocks(blocks_of(again)), len(again)) != header.top:
        raise BeliefError("its root is not that of its accounts")
    address, data = draws.choice(pairs)
    found = proof_of(saved, address)
    if found is None or found[0] != data or found[2] != header.top:
        raise BeliefError("an account of it cannot be proved")
    proof_json(header, address, data, found[1])


def rerooted(path: Path) -> bytes | None:
    """Return a file under the root that its accounts have, as whoever made it could; None where it cannot be read that far."""
    data = path.read_bytes()
    try:
        header = load_header(path)
        if header.base_root is not None:
            return None
        accounts = load(path).accounts
        top = top_of(leaf_blocks(blocks_of(accounts)), len(accounts))
    except StateError:
        return None
    return sealed_body(replace(header, top=top), data[HEADER_BYTES:])


def fuzz(folder: Path, seed: int, cases: int | None, for_s: float | None) -> Counter[str]:
    """Play cases until there were so many, or so long.

    Returns:
        How often each reason was given, without what differs from case to case.

    Raises:
        BeliefError: a case was believed, or took too long; or whatever else one raised. Notes tell the case's seed.
    """
    sound, ends = write_sound(folder), Counter[str]()
    until_s = None if for_s is None else time.monotonic() + for_s
    for case in _cases(cases, until_s):
        draws = Random(f"{seed}/{case}")
        name = draws.choice((WHOLE, CHANGES))
        try:
            ends[_end_of(folder, name, sound, draws)] += 1
        except Exception as error:
            error.add_note(f"seed {seed}, case {case}: {folder / name}")
            raise
        (folder / name).write_bytes(sound.data[name])
    return ends


def _cases(cases: int | None, until_s: float | None) -> Iterator[int]:
    case = 0
    while (cases is None or case < cases) and (until_s is None or time.monotonic() < until_s):
        yield case
        case += 1


def _end_of(folder: Path, name: str, sound: Sound, draws: Random) -> str:
    path, started_s = folder / name, time.monotonic()
    path.write_bytes(Bender(sound, draws).bent(name))
    data = rerooted(path)
    if data is not None:
        path.write_bytes(data)
    found = "believed"
    try:
        read_all(path, sound, draws)
    except StateError as error:
        found = str(error)
    took_s = time.monotonic() - started_s
    if took_s > CASE_S_MAX:
        raise BeliefError(f"it took {took_s:.1f} s: {found}")
    if not found.isprintable():
        raise BeliefError(f"found {found!r}, expected one printable line")
    reason = found.replace(str(folder), "").partition("(")[2].partition(")")[0] or found
    return re.sub("[0-9a-f]*[0-9][0-9a-f]*", "0", reason)


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def main() -> None:
    """Play for a while, and tell what was said."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz_snapshots", description=__doc__)
    parser.add_argument("--for", dest="for_s", type=_seconds, default=None, help="such as 60s")
    parser.add_argument("--cases", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    cases = 1_000 if asked.for_s is None and asked.cases is None else asked.cases
    with tempfile.TemporaryDirectory(prefix="snapshots-") as folder:
        try:
            ends = fuzz(Path(folder), asked.seed, cases, asked.for_s)
        except BeliefError as error:
            sys.exit("; ".join([str(error), *error.__notes__]))
    for reason, count in ends.most_common():
        print(f"{count:>8,}  {reason}")


if __name__ == "__main__":
    main()
