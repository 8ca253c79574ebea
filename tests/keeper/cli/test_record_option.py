from pathlib import Path

from click.testing import CliRunner

from keeper.cli.run import run_command

CONFIG = Path(__file__).resolve().parents[3] / "keeper.toml"


def test_a_recording_that_cannot_be_opened_is_refused_before_anything_runs(tmp_path):
    path = tmp_path / "missing" / "prices.jsonl"
    result = CliRunner().invoke(run_command, ["--config", str(CONFIG), "--record", str(path)])
    assert result.exit_code == 2
    assert "cannot be opened for writing (No such file or directory)" in result.output
    assert "name a file in a folder that can be written" in result.output
