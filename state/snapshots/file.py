"""Snapshots on disk: written whole or not at all, and read only as far as they can be believed.

Shell. Sections are written as they come, the header at the end and in front; then the disk is told to keep it, and the file gets its
name. A reader hashes the body once, and then reads section by section: no more of it is held than one.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from state.drafts import open_draft
from state.errors import StateError
from state.file_lock import from_os_error
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.header import (
    HEADER_BYTES,
    NAME_BYTES_MAX,
    SECTION,
    Header,
    raw_bytes_max,
    read_header,
)
from state.snapshots.piece import Origin, Piece
from state.snapshots.sum_tree import Top

FILLING: Final = 255
"""A section of zeros: keeps a file that packs too well from looking like an attack."""
_CHUNK_BYTES: Final = 1 << 20
_SECTION_BYTES_MAX: Final = 1 << 30


def write_snapshot(
    path: Path,
    origin: Origin,
    top: Top,
    raw_bytes: int,
    pieces: Iterable[Piece],
    base: tuple[bytes, str] | None = None,
) -> Header:
    """Write a file of mode 0600, and return its header.

    Args:
        path: where it will be; what is there is replaced once the new one is on disk.
        origin: of what.
        top: of the tree over all accounts.
        raw_bytes: what the rows in `pieces` take unpacked.
        pieces: its sections.
        base: root and file name of the snapshot that these are changes of.

    Raises:
        StateError: the disk refuses.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    try:
        _forget_halves(path)
        try:
            header = _write(half, origin, top, raw_bytes, pieces, base)
            half.replace(path)
            _sync_folder(path.parent)
        finally:
            with suppress(FileNotFoundError):
                half.unlink()
    except OSError as error:
        raise _from_os_error(path, error) from error
    return header


def _forget_halves(path: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    for half in path.parent.glob(f".{path.name}.*.half"):
        owner = half.suffixes[-2].removeprefix(".")
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            half.unlink(missing_ok=True)


def _write(
    half: Path,
    origin: Origin,
    top: Top,
    raw_bytes: int,
    pieces: Iterable[Piece],
    base: tuple[bytes, str] | None,
) -> Header:
    hashed, body_bytes, sections = hashlib.sha256(), 0, 0
    with os.fdopen(open_draft(half), "wb", buffering=_CHUNK_BYTES) as out:
        out.write(bytes(HEADER_BYTES))

        def put(piece: Piece) -> None:
            nonlocal body_bytes, sections
            front = SECTION.pack(piece.section, piece.rows, len(piece.data))
            for part in (front, piece.data):
                hashed.update(part)
                out.write(part)
            body_bytes += len(front) + len(piece.data)
            sections += 1

        for piece in pieces:
            put(piece)
        lacking = raw_bytes - raw_bytes_max(HEADER_BYTES + body_bytes)
        if lacking > 0:
            put(Piece(section=FILLING, rows=0, data=bytes(lacking // 64 + 1)))
        name = "" if base is None else base[1]
        header = Header(
            genesis_hash=origin.genesis_hash,
            program=origin.program,
            slot=origin.slot,
            top=top,
            root=top.root(origin.context),
            base_root=None if base is None else base[0],
            base_name=name if len(name.encode()) <= NAME_BYTES_MAX else "",
            sections=sections,
            body_bytes=body_bytes,
            raw_bytes=raw_bytes,
            body_hash=hashed.digest(),
        )
        out.seek(0)
        out.write(header.packed())
        out.flush()
        os.fsync(out.fileno())
    return header


def load_header(path: Path) -> Header:
    """Read what a file says of itself; the rest is not looked at.

    Raises:
        SnapshotDamaged: it is no snapshot.
        StateError: it cannot be read.
    """
    try:
        with _opened(path) as file:
            data = file.read(HEADER_BYTES)
            return read_header(data, os.fstat(file.fileno()).st_size)
    except SnapshotDamaged as damaged:
        raise SnapshotDamaged(damaged.detail, path) from None
    except OSError as error:
        raise _from_os_error(path, error) from error


def read_pieces(path: Path, header: Header) -> Iterator[Piece]:
    """Yield the sections of a file, after the whole body was found to be the one that was written.

    Raises:
        SnapshotDamaged: it is not.
        StateError: it cannot be read.
    """
    try:
        with _opened(path) as file:
            _check_body(file, header)
            yield from _pieces(file, header)
    except SnapshotDamaged as damaged:
        raise SnapshotDamaged(damaged.detail, path) from None
    except OSError as error:
        raise _from_os_error(path, error) from error


def _opened(path: Path) -> BinaryIO:
    """Open a file, and nothing else: a pipe would never end, and has no length."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise SnapshotDamaged("found no regular file")
    return os.fdopen(handle, "rb")


def _check_body(file: BinaryIO, header: Header) -> None:
    hashed = hashlib.sha256()
    file.seek(HEADER_BYTES)
    while chunk := file.read(_CHUNK_BYTES):
        hashed.update(chunk)
    if hashed.digest() != header.body_hash:
        raise SnapshotDamaged("found other contents than were written")


def _pieces(file: BinaryIO, header: Header) -> Iterator[Piece]:
    file.seek(HEADER_BYTES)
    left = header.body_bytes
    for _ in range(header.sections):
        if left < SECTION.size:
            raise SnapshotDamaged(f"found {left} bytes where a section should begin")
        section, rows, length = SECTION.unpack(file.read(SECTION.size))
        left -= SECTION.size + length
        if left < 0 or length > _SECTION_BYTES_MAX:
            raise SnapshotDamaged(f"found a section of {length} bytes, longer than the file")
        data = file.read(length)
        if section != FILLING:
            yield Piece(section=section, rows=rows, data=data)
    if left:
        raise SnapshotDamaged(f"found {left} bytes after the last section")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _from_os_error(path: Path, error: OSError) -> StateError:
    if isinstance(error, FileNotFoundError):
        return StateError(
            f"{path} does not exist: give the path of a snapshot in a folder that is there"
        )
    return from_os_error(path, error)
