"""What an operator gets wrong, or the world does: one sentence, a non-zero exit, nothing half-written; or life goes on.

Every keeper here is a process of its own.
"""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import termios
import time
from contextlib import closing, contextmanager
from threading import Thread

import pytest
from commands import KEEPER, config_for, refusal, replaced, run, the_sentence
from processes import ROOT, finish, free_ports, started, write_config
from quiet_world import PROGRAM, quiet_world, write_keypair
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs import loader


@pytest.fixture(scope="module")
def world():
    with quiet_world() as found:
        yield found


# The configuration and the key.


def test_a_missing_file_is_named_with_what_to_do(tmp_path):
    assert "--config" in refusal("run", "--json", "--config", str(tmp_path / "none.toml"))


def test_every_mistake_of_a_file_is_listed_under_its_dotted_key(tmp_path):
    path = tmp_path / "keeper.toml"
    path.write_text('[cluster]\nprogram_id = "x"\nrpc = 1\n[lanes.prices]\nconcurrency = "4"\n')
    for command in ("check", "run"):
        ended = run(command, "--json", "--config", str(path))
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "Traceback" not in ended.stderr
        listed = set(re.findall(r"(?m)^  ([\w.]+):", ended.stderr))
        expected = {"cluster.rpc_urls", "cluster.program_id", "cluster.rpc", "keys", "state"}
        assert {*expected, "lanes.prices.concurrency"} == listed


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (None, 0o600, "solana-keygen new"),
        (json.dumps(list(bytes(Keypair()))), 0o644, "chmod 600"),
        ("[1, 2, 3]", 0o600, "malformed"),
    ],
    ids=["missing", "world-readable", "malformed"],
)
def test_a_key_that_cannot_be_used_is_refused(tmp_path, text, mode, words):
    config = write_config(tmp_path, *free_ports(2))
    path = tmp_path / "var/keys/keeper.json"
    path.parent.mkdir(parents=True)
    if text is not None:
        path.write_text(text)
        path.chmod(mode)

    said = refusal("run", "--no-sandbox", "--json", "--config", str(config))

    assert words in said
    assert str(path) in said
    assert not (tmp_path / "var/state").exists()


@pytest.mark.parametrize("length", ["0", "abc", "-5s"])
def test_a_length_that_is_none_is_refused_with_examples(length):
    ended = run("run", "--json", "--for", length)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "expected e.g. 40s" in ended.stderr


# The sandbox.


@pytest.mark.parametrize(("index", "key"), [(0, "sandbox.rpc_port"), (1, "sandbox.venue_port")])
def test_a_port_in_use_is_named_by_the_key_to_change(tmp_path, index, key):
    ports = free_ports(2)
    with closing(socket.create_server(("127.0.0.1", ports[index]))):
        said = refusal("run", "--json", "--config", str(write_config(tmp_path, *ports)))

    assert key in said
    assert str(ports[index]) in said


def test_a_sandbox_that_dies_under_the_keeper_ends_the_run(tmp_path):
    config = write_config(tmp_path, *free_ports(2))
    with started("run", "--json", "--config", str(config)) as keeper:
        child = keeper.wait_for(lambda line: line["event"] == "sandbox.started")
        keeper.wait_for(lambda line: line["event"] == "batch.signed")
        os.kill(child["pid"], signal.SIGKILL)
        assert keeper.process.wait(20) == 2

    assert ["keeper: the sandbox process ended while the keeper ran (status -9)"] == [
        line.partition(":")[0] + ":" + line.split(":")[1] for line in keeper.other
    ]


def test_the_databases_of_own_sandboxes_stay_few_and_apart(tmp_path):
    past = tmp_path / "var/state/sandbox"
    past.mkdir(parents=True)
    for number in range(7):
        (past / f"keeper-{number}.db").write_text("of a chain that is gone")
        os.utime(past / f"keeper-{number}.db", (number, number))
    of_a_cluster = tmp_path / "var/state/keeper-cluster.db"
    of_a_cluster.write_text("never ours to delete")
    config = write_config(tmp_path, *free_ports(2))

    with started("run", "--json", "--for", "1ms", "--config", str(config)) as keeper:
        found = finish(keeper)

    genesis = found["cluster"]["genesis_hash"][:12]
    kept = {path.name for path in past.glob("*.db")}
    ours = {f"keeper-{genesis}.db", f"incentives-{genesis}.db"}
    assert ours | {f"keeper-{number}.db" for number in range(2, 7)} == kept
    assert of_a_cluster.exists()


# The cluster.


def test_an_rpc_that_refuses_or_hangs_is_named(tmp_path, world):
    refusing = config_for(tmp_path, world, port=free_ports(1)[0])
    said = refusal("run", "--json", "--config", str(refusing))
    assert "cannot be read" in said
    assert "cluster.rpc_urls" in said

    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        hanging = config_for(tmp_path, world, port=mute.getsockname()[1])
        began_s = time.monotonic()
        assert "no answer within 0.9 s" in refusal("run", "--json", "--config", str(hanging))
        assert time.monotonic() - began_s < 30  # bounded; how tightly, the sentence says


def test_a_program_of_other_bytes_is_refused(tmp_path, world):
    address = loader.program_data_address(PROGRAM)
    data = bytes(world.account(address).data)
    with replaced(world, address, data=data[:-1] + bytes([data[-1] ^ 1])):
        said = refusal("run", "--json", "--config", str(config_for(tmp_path, world)))

    assert "sha256" in said
    assert "release" in said
    assert not (tmp_path / "var/state").exists()


def test_a_program_that_can_be_upgraded_is_refused(tmp_path, world):
    address = loader.program_data_address(PROGRAM)
    data = bytes(world.account(address).data)
    held = data[:12] + b"\1" + bytes(world.keeper.pubkey()) + data[45:]
    with replaced(world, address, data=held):
        said = refusal("run", "--json", "--config", str(config_for(tmp_path, world)))

    assert "can still be upgraded" in said


def test_a_cluster_without_the_program_or_without_its_genesis_is_refused(tmp_path, world):
    config = config_for(tmp_path, world, program_id=f'"{Keypair().pubkey()}"')
    assert "has no program" in refusal("run", "--json", "--config", str(config))

    with quiet_world(seed=2, is_founded=False) as bare:
        said = refusal("run", "--json", "--config", str(config_for(tmp_path, bare)))
    assert "genesis" in said


def test_a_key_without_sol_is_told_to_be_funded(tmp_path, world):
    with replaced(world, world.keeper.pubkey(), lamports=1_000_000):
        said = refusal("run", "--json", "--config", str(config_for(tmp_path, world)))

    assert str(world.keeper.pubkey()) in said
    assert "0.001000000 SOL" in said
    assert "fund it" in said


def test_a_key_that_is_not_the_oracle_authority_keeps_without_posting(tmp_path, world):
    config = config_for(tmp_path, world)
    stranger = Keypair()
    write_keypair(tmp_path / "var/keys/keeper.json", stranger)
    funded = Account(10**10, b"", Pubkey.default())
    world.set_account(stranger.pubkey(), funded)

    with started("run", "--json", "--for", "1s", "--config", str(config)) as keeper:
        found = finish(keeper)

    (told,) = keeper.named("posting.disabled")
    assert "oracle authority" in told["reason"]
    assert found["payer"]["is_oracle_authority"] is False
    assert found["refusals"]["prices.not_the_oracle_authority"] == 1
    assert found["prices"]["posted"] == 0
    assert "prices" not in found["transactions"]["by_lane"]
    assert found["positions"]["scans"] > 0


def test_an_outage_of_the_rpc_is_outlasted(tmp_path, world):
    config = config_for(tmp_path, world, port=world.gate.port)
    with started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        world.do(world.gate.turn, None)
        keeper.wait_for(lambda line: line["event"] == "scan.unread")
        time.sleep(0.5)
        world.do(world.gate.turn, world.rpc_port)
        back = keeper.wait_for(lambda line: line["event"] == "scan.recovered")
        keeper.wait_for(
            lambda line: line["event"] == "attempt.landed" and line["timestamp"] > back["timestamp"]
        )
        keeper.process.send_signal(signal.SIGTERM)
        found = finish(keeper)

    assert back["outage_s"] > 0.4
    assert found["transactions"]["open"] == 0
    assert found["transactions"]["duplicates"] == 0


def test_a_cluster_that_changes_behind_its_url_stops_the_keeper(tmp_path, world):
    config = config_for(tmp_path, world, port=world.gate.port)
    with quiet_world(seed=3) as other, started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        try:
            world.do(world.gate.turn, other.rpc_port)
            assert keeper.process.wait(20) == 2
        finally:
            world.do(world.gate.turn, world.rpc_port)

    (said,) = keeper.other
    assert "changed while the keeper ran" in said
    assert str(world.bank.genesis_hash) in said


def test_endpoints_of_two_clusters_in_one_list_are_refused(tmp_path, world):
    config = config_for(tmp_path, world)
    with quiet_world(seed=4, is_founded=False) as other:
        urls = f'["http://127.0.0.1:{world.rpc_port}", "http://127.0.0.1:{other.rpc_port}/?api-key=SECRET"]'
        config.write_text(re.sub(r"(?m)^rpc_urls = .*$", f"rpc_urls = {urls}", config.read_text()))
        said = refusal("run", "--json", "--config", str(config))

    assert str(other.bank.genesis_hash) in said
    assert "SECRET" not in said


def test_accounts_that_cannot_be_read_are_skipped_and_counted(tmp_path, world):
    market = next(
        (address, account)
        for address, account in world.do(world.bank.program_accounts, PROGRAM)
        if account.data[0] == 3
    )
    good = bytes(market[1].data)
    planted = {
        "short position": b"\4\1" + bytes(30),
        "position of another layout": b"\4\x63" + bytes(254),
        "position on side 9": b"\4\1\x09\x09\x09\x09" + b"\xff" * 250,
        "market cut short": good[:-3],
        "market of 255 pools": good[:5] + b"\xff" + good[6:],
    }
    keys = [Keypair().pubkey() for _ in planted]
    for key, data in zip(keys, planted.values(), strict=True):
        world.set_account(key, Account(10**9, data, PROGRAM))
    try:
        config = config_for(tmp_path, world)
        with started("run", "--json", "--for", "1s", "--config", str(config)) as keeper:
            found = finish(keeper)
    finally:
        for key in keys:
            world.set_account(key, Account(0, b"", Pubkey.default()))

    assert sum(found["positions"]["skipped"].values()) == len(planted)
    assert len(keeper.named("accounts.skipped")) == 1  # told once, not at every scan
    assert found["prices"]["posted"] > 0


# The venue.


def test_a_keeper_that_starts_during_an_outage_of_the_venue_names_it_and_goes_on(tmp_path, world):
    config = config_for(tmp_path, world, venue=world.venue_gate.port)
    world.do(world.venue_gate.turn, None)
    try:
        with started("run", "--json", "--config", str(config)) as keeper:
            warned = keeper.wait_for(lambda line: line["event"] == "venue.unreachable")
            assert "polymarket.clob_url" in warned["reason"]
            keeper.wait_for(lambda line: line["event"] == "feed.started")
            world.do(world.venue_gate.turn, world.venue_port)
            keeper.wait_for(lambda line: line["event"] == "attempt.landed")
            keeper.process.send_signal(signal.SIGTERM)
            found = finish(keeper)
    finally:
        world.do(world.venue_gate.turn, world.venue_port)
    assert 1 == found["refusals"]["prices.venue_unreachable_at_start"]


def impatient_config(folder, world):
    """The venue behind its gate, and prices that age within a second."""
    config = config_for(
        folder,
        world,
        venue=world.venue_gate.port,
        rest_poll_interval_ms="50",
        gamma_poll_interval_ms="50",
        stream_fresh_ms="200",
    )
    text = config.read_text().replace(
        "[posting]",
        "request_timeout_ms = 300\nreconnect_max_ms = 100\nbreaker_probe_ms = 100\nbreaker_probe_max_ms = 400\n"
        "retry_after_max_ms = 100\n[posting]",
    )
    config.write_text(text)
    return config


def test_a_venue_that_dies_under_the_keeper_is_waited_for_and_the_prices_age(tmp_path, world):
    config = impatient_config(tmp_path, world)
    with started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        world.do(world.venue_gate.turn, None)
        keeper.wait_for(lambda line: line["event"] == "breaker.opened")
        aged = keeper.wait_for(
            lambda line: (
                line["event"] == "venue.failing" or line.get("price_class") in {"stale", "halted"}
            )
        )
        failures = len(keeper.named("source.failed"))
        world.do(world.venue_gate.turn, world.venue_port)
        keeper.wait_for(
            lambda line: (
                line.get("price_class") == "valid" and line["timestamp"] > aged["timestamp"]
            )
        )
        keeper.process.send_signal(signal.SIGTERM)
        found = finish(keeper)

    assert failures < 40
    assert sum(found["prices"]["errors"].values()) > failures
    assert found["prices"]["by_class"] == {"valid": 2}


@contextmanager
def babbling_venue():
    """A venue that answers with something else each time, never with a price."""
    html = b"<html><body>checking your browser</body></html>"
    bodies = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s" % (len(html), html),
        b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n[{"asset_id": "1", ',
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 30000\r\n\r\n" + b"[" * 30_000,
        b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n[{"asks": -1}]',
    ]  # fmt: skip
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        for number in range(1_000_000):
            try:
                client, _ = server.accept()
            except OSError:
                return
            with closing(client):
                client.recv(65_536)
                try:
                    client.sendall(bodies[number % len(bodies)])
                    client.shutdown(socket.SHUT_WR)
                except OSError:
                    continue

    thread = Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_bodies_that_are_no_prices_are_counted_by_kind_and_never_posted(tmp_path, world):
    config = impatient_config(tmp_path, world)
    config.write_text(
        config.read_text().replace("[posting]", "response_bytes_max = 20_000\n[posting]")
    )
    with babbling_venue() as port, started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        world.do(world.venue_gate.turn, port)
        time.sleep(5)
        keeper.process.send_signal(signal.SIGTERM)
        found = finish(keeper)
        world.do(world.venue_gate.turn, world.venue_port)

    # Who of the sources gets which of the answers is a matter of chance, and breakers leave only a few calls.
    kinds = {error.partition(".")[2] for error in found["prices"]["errors"]}
    wanted = {"status_429", "not_json", "too_large", "truncated", "held_back"}
    assert len(wanted & kinds) >= 3, found["prices"]
    assert "valid" not in found["prices"]["by_class"]
    assert found["positions"]["scans"] > 2  # the subscription tells the rest
    # How many calls fail in five seconds is a matter of the machine; that most of them are only counted is not.
    assert 3 * len(keeper.named("source.failed")) < sum(found["prices"]["errors"].values())


# The state.


def database_of(folder, world):
    return folder / "var/state" / f"keeper-{str(world.bank.genesis_hash)[:12]}.db"


def test_a_database_of_a_newer_release_a_damaged_one_and_a_held_one_are_refused(tmp_path, world):
    config = config_for(tmp_path, world)
    with started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        assert f"process {keeper.process.pid}" in refusal("run", "--json", "--config", str(config))
        keeper.process.send_signal(signal.SIGINT)
        finish(keeper)
    database = database_of(tmp_path, world)
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO _sqlite_migrations SELECT NULL, migration_set, 'm999', applied_at FROM _sqlite_migrations LIMIT 1")  # fmt: skip
    before = database.read_bytes()

    said = refusal("run", "--json", "--config", str(config))

    assert "newer" in said
    assert before == database.read_bytes()

    database.write_bytes(b"no database at all" * 1_000)
    assert "not a healthy SQLite database" in refusal("run", "--json", "--config", str(config))


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here: not root, or not permitted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Leave not one byte."""
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4_096))
        except OSError:
            return


def test_a_full_disk_stops_the_keeper_and_the_next_run_settles(tmp_path, world, small_disk):
    config = config_for(tmp_path, world, heartbeat_slots="1")
    config.write_text(config.read_text().replace("var/state", str(small_disk)))
    fill(small_disk)
    assert "no space left" in refusal("run", "--json", "--config", str(config))

    (small_disk / "ballast").unlink()
    with started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        fill(small_disk)
        assert keeper.process.wait(20) == 2
    (said,) = keeper.other
    assert "no space left" in said
    with closing(sqlite3.connect(next(small_disk.glob("*.db")))) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    (small_disk / "ballast").unlink()
    with started("run", "--json", "--for", "500ms", "--config", str(config)) as keeper:
        found = finish(keeper)
    assert found["transactions"]["open"] == 0
    assert found["transactions"]["duplicates"] == 0


# Signals and pipes.


def test_sigterm_drains_like_ctrl_c(tmp_path, world):
    with started("run", "--json", "--config", str(config_for(tmp_path, world))) as keeper:
        keeper.wait_for(lambda line: line["event"] == "attempt.landed")
        keeper.process.send_signal(signal.SIGTERM)
        found = finish(keeper)

    assert ["SIGTERM"] == [line["signal"] for line in keeper.named("drain.started")]
    assert found["transactions"]["open"] == 0


def test_a_signal_before_any_work_ends_at_once_and_says_so(tmp_path, world):
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        config = config_for(tmp_path, world, port=mute.getsockname()[1])
        config.write_text(
            config.read_text().replace("rpc_timeout_ms = 300", "rpc_timeout_ms = 9_000")
        )
        with started("run", "--json", "--config", str(config)) as keeper:
            mute.settimeout(20)
            connection, _ = mute.accept()
            with closing(connection):
                keeper.process.send_signal(signal.SIGINT)
                assert keeper.process.wait(20) == 128 + signal.SIGINT
    (said,) = keeper.other
    assert "before any new work" in said


def test_a_second_signal_does_not_wait_and_the_next_run_settles(tmp_path, world):
    config = config_for(tmp_path, world, port=world.gate.port)
    world.gate.cuts = b"sendTransaction"
    with started("run", "--json", "--config", str(config)) as keeper:
        keeper.wait_for(lambda line: line["event"] == "send.unanswered")
        keeper.process.send_signal(signal.SIGINT)
        keeper.wait_for(lambda line: line["event"] == "drain.started")
        keeper.process.send_signal(signal.SIGINT)
        assert keeper.process.wait(20) == 128 + signal.SIGINT
    world.gate.cuts = None
    (said,) = keeper.other
    assert "the next start settles them" in said

    with started("run", "--json", "--for", "200ms", "--config", str(config)) as keeper:
        found = finish(keeper)
    assert found["settled_attempts"] > 0
    assert found["transactions"]["open"] == 0


def test_a_pipe_that_closes_drains_the_keeper_without_a_traceback(tmp_path, world):
    config = config_for(tmp_path, world)
    keeper = subprocess.Popen(
        [*KEEPER, "run", "--config", str(config)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with keeper:
        first = json.loads(keeper.stdout.readline())
        keeper.stdout.close()
        status, said = keeper.wait(20), keeper.stderr.read()

    assert first["event"] == "keeper.started"
    assert (status, said) == (0, "")


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path, world):
    config = config_for(tmp_path, world)
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        ended = subprocess.run(
            [*KEEPER, "run", "--json", "--for", "1s", "--config", str(config)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 0
    assert json.loads(ended.stdout)["prices"]["posted"] > 0


def test_a_terminal_gets_a_live_view_and_is_given_back_with_a_summary(tmp_path, world):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [*KEEPER, "run", "--for", "1s", "--config", str(config_for(tmp_path, world))]
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as keeper:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        assert keeper.wait(20) == 0
    os.close(ours)

    before, _, view = shown.decode().partition("\x1b[?1049h")
    view, _, after = view.partition("\x1b[?1049l")
    assert "market 1" in view
    assert "prices" in view
    assert "ran for" in after
    assert "\x1b[?25h" in view + after, "the cursor is shown again"
    assert "{" not in before + after


def test_a_report_that_cannot_be_written_is_one_sentence(tmp_path, world):
    config = config_for(tmp_path, world)
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        ended = subprocess.run(
            [*KEEPER, "run", "--json", "--for", "1ms", "--config", str(config)],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 2
    assert "ended in order" in the_sentence(ended.stderr)


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.5, 0.7])
def test_an_interrupt_while_the_command_is_loading_leaves_no_traceback(tmp_path, world, after_s):
    with started("run", "--json", "--config", str(config_for(tmp_path, world))) as keeper:
        time.sleep(after_s)
        keeper.process.send_signal(signal.SIGINT)
        keeper.process.wait(20)

    assert not any("Traceback" in line for line in keeper.other)
