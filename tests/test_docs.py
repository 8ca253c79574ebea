"""What is told of the commands: help, examples, the README, shell completion, and the keys of keeper.toml."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keeper.cli.commands import cli

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_with_examples_and_appears_in_the_readme(name):
    command = cli.commands[name]
    assert command.help
    examples = (command.epilog or "").splitlines()
    assert "\b" == examples[0], "without it click joins the lines of the examples"
    assert "Examples:" == examples[1]
    assert all(line.startswith(f"  keeper {name}") for line in examples[2:])
    assert f"`keeper {name}`" in README


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_option_has_help(name):
    options = [each for each in cli.commands[name].params if each.param_type_name == "option"]
    assert [] == [each.name for each in options if not getattr(each, "help", None)]


def test_examples_use_options_that_exist():
    for name, command in cli.commands.items():
        known = {flag for each in command.params for flag in each.opts}
        used = {word for word in (command.epilog or "").split() if word.startswith("--")}
        assert used <= known, name


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
