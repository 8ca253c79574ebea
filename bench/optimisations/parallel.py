"""Reading a scan on two cores: the reply's body, which is four fifths of a scan's work, split between processes or threads.

Each half is read by the code that reads the whole. The other process finds its half in shared memory and leaves columns
there, so nothing is pickled. What that costs beside the reading is copying the body in, and the columns out.

Does not pay where it was measured, on two processors of one core: two processes take 1.4 times as long as one thread, and two
threads 1.3 times (the interpreter's lock changes hands between short calls of numpy). Where two processors are two cores the
processes could save a third of a second on a million positions, every few slots, for another process with half a gigabyte of
shared memory; a scan already runs on a thread beside the event loop, and rarer while everything is told. Not in the product.
"""

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from typing import Final

import numpy as np

from bench.optimisations.timing import by_turns
from bench.report.figure import Beside, Figure
from bench.scan import _body, _markets, _positions
from keeper.position_table import PositionColumns
from programs.account_columns import rows_of_body
from programs.layout import POSITION_BYTES
from programs.rpc import ProgramRows

POSITIONS: Final = 400_000
MARKETS: Final = 1_000
_ROW: Final = b',{"account":'
_END: Final = b']},"id":1}'
_ADDRESS_BYTES: Final = 32


def measured(runs: int) -> list[Figure]:
    """Read one body whole, by two threads, and by two processes."""
    body = _body(_positions(POSITIONS, _markets(MARKETS)))
    whole = rows_of_body(body, 1, POSITION_BYTES)
    room = len(body) + POSITIONS * (POSITION_BYTES + _ADDRESS_BYTES)
    shared = SharedMemory(create=True, size=room)
    buffer = _buffer_of(shared)
    try:
        with (
            ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as helper,
            ThreadPoolExecutor(1) as thread,
        ):

            def by_processes() -> PositionColumns:
                first, second = _halves(body)
                buffer[: len(second)] = second
                theirs = helper.submit(_read_shared, shared.name, len(second))
                ours = rows_of_body(first, 1, POSITION_BYTES)
                count = theirs.result()
                at = len(second)
                middle = at + count * _ADDRESS_BYTES
                columns = np.frombuffer(buffer, np.uint8, count=room)
                addresses = columns[at:middle].view(f"V{_ADDRESS_BYTES}")
                data = columns[middle : middle + count * POSITION_BYTES]
                return PositionColumns(
                    addresses=np.concatenate([ours.addresses, addresses]),
                    data=np.concatenate([ours.data, data.reshape(-1, POSITION_BYTES)]),
                )

            def by_threads() -> PositionColumns:
                first, second = _halves(body)
                theirs = thread.submit(rows_of_body, second, 1, POSITION_BYTES)
                return _joined(rows_of_body(first, 1, POSITION_BYTES), theirs.result())

            for way in (by_processes, by_threads):
                found = way()
                assert np.array_equal(found.addresses, whole.addresses)
                assert np.array_equal(found.data, whole.data)
                del found
            took = by_turns(
                {
                    "whole": lambda: rows_of_body(body, 1, POSITION_BYTES),
                    "processes": by_processes,
                    "threads": by_threads,
                },
                runs,
                clock=time.perf_counter,
            )
    finally:
        shared.unlink()
    baseline = Beside(name="in one thread", value=1_000 * float(np.median(took["whole"])))
    return [
        Figure(
            name=f"the body of {POSITIONS:,} positions read by two {way} (not in the product)",
            unit="ms",
            runs=tuple(1_000 * each for each in took[way]),
            baseline=baseline,
        )
        for way in ("processes", "threads")
    ]


def _halves(body: bytes) -> tuple[bytes, bytes]:
    """Cut a body between two accounts into two bodies."""
    head = body[: body.index(b'"value":[') + len(b'"value":[')]
    cut = body.index(_ROW, len(body) // 2)
    return body[:cut] + _END, head + body[cut + 1 :]


def _joined(first: ProgramRows, second: ProgramRows) -> PositionColumns:
    return PositionColumns(
        addresses=np.concatenate([first.addresses, second.addresses]),
        data=np.concatenate([first.data, second.data]),
    )


def _read_shared(name: str, length: int) -> int:
    """Read a body out of shared memory, leave its columns behind it, and return how many rows they have."""
    shared = SharedMemory(name)
    buffer = _buffer_of(shared)
    try:
        rows = rows_of_body(bytes(buffer[:length]), 1, POSITION_BYTES)
        middle = length + rows.addresses.nbytes
        buffer[length:middle] = rows.addresses.tobytes()
        buffer[middle : middle + rows.data.nbytes] = rows.data.tobytes()
        return len(rows.addresses)
    finally:
        shared.close()


def _buffer_of(shared: SharedMemory) -> memoryview:
    assert shared.buf is not None, "it is open"
    return shared.buf
