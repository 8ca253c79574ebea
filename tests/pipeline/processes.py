"""Whole processes under test: a sandbox and keepers, as an operator starts them."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).parents[2]
RECORDED = ROOT.parent / "shared" / "polymarket"
PATIENCE_S = 60.0


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, each with the one after it free as well."""
    while True:
        sockets = [socket.socket() for _ in range(count)]
        try:
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            found = [each.getsockname()[1] for each in sockets]
            for port in found:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + 1))
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
        return found


def write_config(folder: Path, rpc_port: int, venue_port: int, **replaced: str) -> Path:
    """The shipped keeper.toml at other ports, with its state in `folder`."""
    text = (ROOT / "keeper.toml").read_text()
    text = text.replace("8899", str(rpc_port)).replace("8990", str(venue_port))
    # Its monitor stays for a minute after a keeper that a test kills: tests/pipeline/test_monitor.py has that.
    text = text.replace("[monitor]\nenabled = true", "[monitor]\nenabled = false")
    text = text.replace(
        "[sandbox]\n", f"[sandbox]\nrpc_port = {rpc_port}\nvenue_port = {venue_port}\n"
    )
    for key, value in replaced.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count, f"keeper.toml has no {key}"
    path = folder / "keeper.toml"
    path.write_text(text)
    return path


@dataclass
class Running:
    """A process whose stderr is read as it comes."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except json.JSONDecodeError:
                self.other.append(line)

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a log line, from the beginning on."""
        seen, deadline = 0, time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            while seen < len(self.lines):
                seen += 1
                if wanted(self.lines[seen - 1]):
                    return self.lines[seen - 1]
            if self.process.poll() is not None and seen == len(self.lines):
                break
            time.sleep(0.005)
        raise AssertionError(f"never logged; last: {self.lines[-3:]} {self.other[-5:]}")

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


@contextmanager
def started(*arguments: str) -> Iterator[Running]:
    """Run `keeper …` until the block ends; whatever is left is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keeper.cli.main", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Running(process)
    reader = Thread(target=running.read)
    reader.start()
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        reader.join()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def finish(running: Running) -> dict[str, Any]:
    """Wait for the end of a run with --json and return its object."""
    assert running.process.stdout is not None
    text = running.process.stdout.read()
    status = running.process.wait(PATIENCE_S)
    assert status == 0, f"exit {status}: {running.lines[-3:]} {running.other[-5:]}"
    found: dict[str, Any] = json.loads(text)
    return found
