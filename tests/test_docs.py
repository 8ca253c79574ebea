"""What is told of the commands: help, examples, the README, shell completion, and the keys of keeper.toml."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from incentives.cli.commands import cli as incentives
from keeper.cli.commands import cli
from keeper.drills.orders import HELP
from keeper.drills.scenarios.catalog import SCENARIOS

COMMANDS = {("keeper", name): command for name, command in cli.commands.items()} | {
    ("incentives", name): command for name, command in incentives.commands.items()
}
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DRILLS = (ROOT / "docs/drills.md").read_text()


@pytest.mark.parametrize(("program", "name"), sorted(COMMANDS))
def test_every_command_has_help_with_examples_and_appears_in_the_readme(program, name):
    command = COMMANDS[program, name]
    assert command.help
    examples = (command.epilog or "").splitlines()
    assert "\b" == examples[0], "without it click joins the lines of the examples"
    assert "Examples:" == examples[1]
    assert all(line.startswith(f"  {program} {name}") for line in examples[2:])
    assert f"`{program} {name}`" in README


@pytest.mark.parametrize(("program", "name"), sorted(COMMANDS))
def test_every_option_has_help(program, name):
    command = COMMANDS[program, name]
    for one in (command, *getattr(command, "commands", {}).values()):
        assert one.help
        options = [each for each in one.params if each.param_type_name == "option"]
        assert [] == [each.name for each in options if not getattr(each, "help", None)]


def test_examples_use_options_that_exist():
    for name, command in COMMANDS.items():
        inside = getattr(command, "commands", {}).values()
        known = {flag for one in (command, *inside) for each in one.params for flag in each.opts}
        used = {word for word in (command.epilog or "").split() if word.startswith("--")}
        assert used <= known, name


SHOWN = re.compile(
    r"`((?:keeper|incentives) [^`\n]+)`|^ {4}(?:\$ )?((?:keeper|incentives) (?!.*-->|= ).+)$",
    re.MULTILINE,
)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_commands_shown_on_a_page_exist_with_their_options(page):
    for quoted, indented in SHOWN.findall(page.read_text()):
        program, *words = re.split(r" [#|>] ?", quoted or indented)[0].replace("\\", "").split()
        command = {"keeper": cli, "incentives": incentives}[program]
        while words and isinstance(command, click.Group) and words[0][0].isalpha():
            command = command.commands[words.pop(0)]
        known = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}
        used = {word.strip("[]").partition("=")[0] for word in words if word.startswith("--")}
        assert used <= known | {"--help"}, quoted or indented


def test_the_shell_completes_commands_and_options():
    def completed(words):
        environment = os.environ | {
            "_KEEPER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        ended = subprocess.run(
            [Path(sys.executable).with_name("keeper")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return {line.partition(",")[2] for line in ended.stdout.splitlines()}

    assert set(cli.commands) <= completed("keeper ''")
    assert {"--no-sandbox", "--replay"} <= completed("keeper run --")


def test_the_page_of_drills_lists_every_drill_in_order():
    listed = DRILLS[DRILLS.index("## All drills") :].splitlines()[4:]
    assert listed == [f"| `{each.name}` | {each.title} |" for each in SCENARIOS]


def test_the_page_of_drills_explains_every_order_of_the_proxy():
    words = {line.split()[0] for line in HELP.splitlines() if line[18:20] == "  "}
    assert words == {
        "latency",
        "drip",
        "cut",
        "reset",
        "blackhole",
        "refuse",
        "garbage",
        "status",
        "freeze",
        "none",
    }
    assert all(f"`{word}" in DRILLS for word in words)
