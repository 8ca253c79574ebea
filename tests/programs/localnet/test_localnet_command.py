"""`keeper localnet` as a person or a script runs it."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.cli.localnet import localnet_command


@pytest.fixture
def invoke():
    return lambda *arguments: CliRunner().invoke(localnet_command, arguments)


@pytest.fixture
def program(tmp_path):
    """The smallest program, and a keypair for it, as files."""
    code = bytes.fromhex(
        "7f454c46020101000000000000000000"
        "0300f700010000000000000001000000"
        "40000000000000000000000000000000"
        "03000000400038000100000000000000"
        "01000000010000007800000000000000"
        "00000000010000000000000001000000"
        "10000000000000001000000000000000"
        "0000000000000000"
        "b7000000000000009500000000000000"
    )
    keypair = Keypair()
    (tmp_path / "program.so").write_bytes(code)
    (tmp_path / "program.json").write_text(json.dumps(list(bytes(keypair))))
    return tmp_path / "program.so", tmp_path / "program.json", keypair.pubkey()


def test_it_says_when_it_is_ready_and_ends_with_0_on_interrupt(program):
    code, keypair, address = program
    rich = Pubkey.new_unique()
    command = [sys.executable, "-m", "keeper.cli.localnet", "--port", "0", "--json"]
    command += ["--program", code, "--program-keypair", keypair, "--airdrop", f"{rich}=1.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            ready = json.loads(process.stdout.readline())
            request = {"jsonrpc": "2.0", "id": 1, "method": "getBalance", "params": [str(rich)]}
            reply = httpx.post(ready["url"], json=request).json()
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=10)
        finally:
            process.kill()
    assert reply["result"]["value"] == 1_500_000_000
    (deployed,) = ready["programs"]
    assert (deployed["id"], deployed["upgrade_authority"]) == (str(address), None)
    assert deployed["refused"] == ["Upgrade", "SetAuthority", "Close"]
    assert (process.returncode, rest, errors) == (0, b"", b"")


def test_a_fresh_network_is_the_platform_of_the_specification():
    command = [sys.executable, "-m", "keeper.cli.localnet", "--port", "0", "--json"]
    with subprocess.Popen([*command, "--slot-ms", "50"], stdout=subprocess.PIPE) as process:
        try:
            ready = json.loads(process.stdout.readline())
            (deployed,) = ready["programs"]
            target = ["--url", ready["url"], "--program", deployed["id"], "--json"]
            verify = [Path(sys.executable).with_name("keeper"), "verify", *target]
            audited = subprocess.run(verify, capture_output=True, text=True, check=False)
        finally:
            process.kill()
    found = json.loads(audited.stdout)
    assert (audited.returncode, found["immutable"], found["differences"]) == (0, True, [])
    assert found["entropy_sink_base_units"] == 90_000_000 * 10**9
    assert found["mint_authority"] is None


def test_help_shows_examples(invoke):
    result = invoke("--help")
    assert result.exit_code == 0
    assert "keeper localnet --slot-ms 50" in result.output


def test_a_taken_port_is_one_sentence(invoke):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = invoke("--port", str(port), "--no-program")
    assert result.exit_code == 2
    assert result.output == (
        f"Error: port {port} on 127.0.0.1 is in use by another program;"
        " stop that program or choose other ports with --port and --ws-port\n"
    )


def test_a_file_that_is_no_program_is_one_sentence(invoke, tmp_path):
    (tmp_path / "text.so").write_text("not a program")
    result = invoke("--port", "0", "--program", str(tmp_path / "text.so"))
    assert result.exit_code == 2
    assert "check that the file is an sBPF v3 program" in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("airdrop", ["x=1", "=1", f"{Pubkey.default()}", f"{Pubkey.default()}=0"])
def test_an_airdrop_that_cannot_be_read_is_refused(invoke, airdrop):
    result = invoke("--airdrop", airdrop)
    assert result.exit_code == 2
    assert "is no ADDRESS=SOL" in result.output


@pytest.mark.parametrize("amount", ["-1", "1e-10", "nan", "inf", "1,5"])
def test_an_amount_that_is_no_positive_number_of_lamports_is_refused(invoke, amount):
    assert invoke("--airdrop", f"{Pubkey.default()}={amount}").exit_code == 2


def test_more_than_the_faucet_has_is_one_sentence(invoke):
    result = invoke("--port", "0", "--no-program", "--airdrop", f"{Pubkey.default()}=600000000")
    assert result.exit_code == 2
    assert "the faucet could not pay" in result.output


def test_keypairs_and_programs_must_pair_up(invoke, program):
    code, keypair, _address = (str(item) for item in program)
    result = invoke("--program", code, "--program", code, "--program-keypair", keypair)
    assert result.exit_code == 2
    assert "2 program(s) but 1 --program-keypair" in result.output


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '"abc"', "[300]"])
def test_a_file_that_is_no_keypair_is_refused(invoke, program, tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    result = invoke("--program", str(program[0]), "--program-keypair", str(tmp_path / "bad.json"))
    assert result.exit_code == 2
    assert "holds no keypair" in result.output


def test_faults_and_endpoints_are_what_the_options_say():
    command = [sys.executable, "-m", "keeper.cli.localnet", "--port", "0", "--json", "--no-program"]
    command += ["--faults", "heavy", "--endpoints", "4", "--fault", "congestion.spam_per_slot=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            ready = json.loads(process.stdout.readline())
            urls = [each["url"] for each in ready["endpoints"]]
            report = httpx.get(f"{urls[3]}/faults").json()
        finally:
            process.kill()
    assert [each["lag_blocks"] for each in ready["endpoints"]] == [0, 12, 0, 0]
    assert urls[0] == ready["url"]
    assert report["is_armed"] is True
    assert "spam.arrived" not in report["counts"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--faults", "mild"], "no fault profile at mild"),
        (["--fault", "sending.lost_bps=x"], "write it as sending.lost_bps=500"),
        (["--endpoints", "17"], "17 is not in the range 1<=x<=16"),
    ],
)
def test_faults_that_cannot_be_are_one_sentence(invoke, arguments, words):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert words in result.output
