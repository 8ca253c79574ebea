"""`keeper run --faults`: for the sandbox's network, and for nothing else."""

from pathlib import Path

from click.testing import CliRunner

from keeper.cli.run import run_command

SHIPPED = Path(__file__).parents[3] / "keeper.toml"


def test_faults_without_a_sandbox_are_refused():
    arguments = ["--config", str(SHIPPED), "--no-sandbox", "--faults", "light"]
    refused = CliRunner().invoke(run_command, arguments)

    assert refused.exit_code == 2
    assert "--faults is for the sandbox's network, and no sandbox is started" in refused.output


def test_help_shows_how():
    shown = CliRunner().invoke(run_command, ["--help"])

    assert "--faults light|heavy|FILE" in shown.output
    assert "keeper run --for 60s --json --faults heavy" in shown.output
