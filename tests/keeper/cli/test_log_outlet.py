"""Log lines leave without holding the keeper up, whatever happens to whoever reads them."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing

from keeper.cli.log_outlet import open_outlet


def test_lines_come_out_whole_and_in_order(tmp_path):
    with (tmp_path / "log").open("w") as stream, open_outlet(stream) as outlet:
        for number in range(100):
            outlet.write(f"line {number}\n")

    assert [f"line {number}" for number in range(100)] == (
        tmp_path / "log"
    ).read_text().splitlines()


def test_a_reader_that_pauses_costs_lines_and_no_time_and_is_told_how_many():
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb", buffering=0) as read,
        closing(os.fdopen(writer, "w")) as stream,
        open_outlet(stream) as outlet,
    ):
        began_s = time.monotonic()
        for _ in range(15_000):
            outlet.write("x" * 99 + "\n")
        assert time.monotonic() - began_s < 10  # nobody reads: waiting would be for ever
        got = b""
        while got.count(b"\n") < 10_000:
            got += read.read(65_536)
        outlet.write("after\n")
        while b"after" not in got:
            got += read.read(65_536)

    told = [json.loads(line) for line in got.splitlines() if line.startswith(b"{")]
    assert 15_000 == got.count(b"x\n") + sum(line["count"] for line in told)
    assert {"log_lines.lost"} == {line["event"] for line in told}


def test_a_pipe_that_nobody_reads_any_more_asks_the_process_to_end():
    program = """if True:
        import os, signal, sys, time
        from keeper.cli.log_outlet import open_outlet
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        with open_outlet(sys.stdout) as outlet:
            sys.stdin.read()
            outlet.write("to nobody\\n")
            while True:  # a signal may arrive just before one sleep begins, and then wakes the next
                time.sleep(0.01)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        child.stdout.close()
        child.stdin.close()
        assert child.wait(20) == 0


def test_a_process_that_outlives_its_reader_goes_on_without_a_log():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream, open_outlet(stream, ends_with_reader=False) as outlet:
        for _ in range(3):
            outlet.write("nobody hears this\n")


def test_a_full_disk_loses_lines_and_raises_nothing():
    with open("/dev/full", "w") as full, open_outlet(full) as outlet:  # noqa: PTH123 - a device
        outlet.write("lost\n")
        outlet.write("lost too\n")
