"""Every number and every path that the two command lines take, with values nobody meant: one sentence, never a traceback."""

import os
from pathlib import Path

import click
import pytest
import trio
from click.testing import CliRunner
from solders.keypair import Keypair

from incentives.cli.commands import cli as incentives
from keeper.cli.commands import cli as keeper
from keeper.cli.commands import sentences
from tests.incentives.told_ledger import write_ledger

NUMBERS = [str(2**63), str(2**64), "-1", str(10**30), "9" * 400]
TEXTS = {
    "junk": bytes(range(256)) * 40,
    "deep.json": b"[" * 100_000,
    "digits.json": b"[" + b"9" * 5_000 + b"]",
    "surrogate.json": b'{"epoch": "\\ud800", "root": "\\ud800", "leaves": [["\\ud800", 1]]}',
    "deep.toml": b"a = " + b"[" * 20_000,
    "digits.toml": b"a = " + b"9" * 5_000,
    "long.toml": b"[cluster]\nslot_ms = 1" + b"0" * 30,
}
PATHS = ["", "folder", "missing/file", *TEXTS]
GO_ON = {
    "keeper run",
    "keeper sandbox",
    "keeper localnet",
    "keeper status",
    "keeper monitor",
    "keeper prices",
    "keeper drill run",
    "keeper drill proxy",
    "keeper stress run",
    "incentives follow",
    "incentives serve",
}
"""Commands that do not end by themselves: of these only what the command line makes of a value is looked at."""
ANY_NUMBER = {("keeper localnet", "seed"), ("keeper localnet", "fault_seed")}
"""Where any number will do."""
CONFIG = (
    '[cluster]\nrpc_urls = ["http://127.0.0.1:1"]\nprogram_id = "{}"\n[keys]\nkeeper = "key.json"\n'
)


def commands(group, *names):
    """Yield every command under its name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join([*names, name]), command


ALL = [
    pytest.param(group, f"{program} {name}", command, id=f"{program} {name}")
    for program, group in (("keeper", keeper), ("incentives", incentives))
    for name, command in commands(group)
]


def is_number(param):
    number = (click.types.IntParamType, click.types.FloatParamType)
    return isinstance(param.type, number) or param.type.name in {"number", "duration"}


def is_path(param):
    return isinstance(param.type, click.Path | click.File)


def plausible(param):
    """What stands for the arguments that a command cannot do without."""
    if is_path(param):
        value = "key.json"
    elif is_number(param):
        value = "5"
    elif isinstance(param.type, click.Choice):
        value = str(next(iter(param.type.choices)))
    else:
        value = str(Keypair.from_seed(bytes([3] * 32)).pubkey())
    return [value] * max(param.nargs, 1)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    trio.run(write_ledger, path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    key = Keypair.from_seed(bytes([4] * 32))
    Path("keeper.toml").write_text(CONFIG.format(key.pubkey()))
    texts = {**TEXTS, "key.json": key.to_json().encode()}
    for name, text in texts.items():
        Path(name).write_bytes(text)
        Path(name).chmod(0o600)
    Path("folder").mkdir()
    for name in ("deep.json", "digits.json", "surrogate.json"):
        os.link(name, f"folder/{name}")


def words_of(command, chosen, value, ledger):
    """The command line on which one parameter has a value, and the others what they need."""
    options, arguments = [], []
    for param in command.params:
        values = [value] * max(param.nargs, 1) if param is chosen else None
        if values is None and (param.required or (param.name == "config_path" and is_path(param))):
            values = plausible(param) if param.name != "config_path" else ["keeper.toml"]
        if values is None and "--ledger" in param.opts:
            values = [str(ledger)]
        if values is None:
            continue
        if isinstance(param, click.Argument):
            arguments += values
        elif param.nargs == 1:
            options.append(f"{param.opts[0]}={values[0]}")
        else:
            options += [param.opts[0], *values]
    return [*options, "--", *arguments]


def run(group, words):
    """Run a command line as its main function does; return the exit code and what was printed."""
    result = CliRunner().invoke(group, words)
    error = result.exception
    if error is None or isinstance(error, SystemExit):
        return result.exit_code, result.output
    told = list(sentences(error)) if group is keeper else []
    if not told:
        raise error
    return 2, "\n".join(told)


@pytest.mark.parametrize(("group", "name", "command"), ALL)
def test_a_value_that_nobody_meant_is_a_sentence(folder, ledger, group, name, command):
    for param in command.params:
        values = NUMBERS if is_number(param) else PATHS if is_path(param) else []
        for value in values:
            words = words_of(command, param, value, ledger)
            if name in GO_ON and (name, param.type.name) != ("keeper sandbox", "integer"):
                if is_number(param) and (name, param.name) not in ANY_NUMBER:
                    check_conversion(command, param, value)
                continue
            code, told = run(group, [*name.split()[1:], *words])
            assert code in {0, 1, 2}, (words, told)
            assert told, words
            assert "Traceback" not in told


def check_conversion(command, param, value):
    """A number is refused, or of 64 bits, or a length of time; what a sandbox is told is refused when all of it is known."""
    context = click.Context(command)
    try:
        found = param.type.convert(value, param, context)
    except click.UsageError:
        return
    assert isinstance(found, float) or abs(found) <= 2**63, (param.name, value)


TOLD = {
    "keeper localnet --port 0 --airdrop 11111111111111111111111111111112=1e30": "is no ADDRESS=SOL",
    "keeper localnet --port 0 --airdrop 11111111111111111111111111111112=1e999999999": "is no ADDRESS=SOL",
    "keeper localnet --fault sending.lost_bps=1e400": "a whole number",
    "keeper localnet --fault sending.lost_bps=100000000000000000000": "expected 0 to 10000",
    "keeper localnet --faults deep.toml": "nested too deeply",
    "keeper localnet --faults digits.toml": "longer than 64 bits",
    "keeper localnet --port 0 --program junk --program-keypair deep.json": "holds no keypair",
    "keeper sandbox --seed 9223372036854775808": "seed is 9223372036854775808",
    "keeper run --config long.toml": "cluster.slot_ms is longer than 64 bits",
    "keeper run --config deep.toml": "nested too deeply",
    "keeper shadow deep.json": "line 1 is",
    "keeper stress run chain_load --scale 1e400": "--scale is inf",
    "keeper drill proxy --upstream https://x --listen 127.0.0.1:99999999999999999999": "HOST:PORT",
    "incentives follow --config digits.toml": "longer than 64 bits",
    "incentives follow --config long.toml": "cluster.slot_ms is longer than 64 bits",
}


@pytest.mark.parametrize("line", TOLD)
def test_what_is_wrong_is_said(folder, line):
    program, *words = line.split()
    code, told = run(keeper if program == "keeper" else incentives, words)
    assert (True, True) == (code in {1, 2}, TOLD[line] in told), told
