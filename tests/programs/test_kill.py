import subprocess
import sys
from pathlib import Path

import pytest

from state.store import connect_read_only
from tests.programs.cluster_server import serve_cluster
from tests.programs.doomed import Doomed, run

ROOT = Path(__file__).parents[2]

LINES = [
    "before record_attempt",
    "after record_attempt",
    "before send_transaction",
    "after send_transaction",
    "after get_signature_statuses",
    "before record_ends",
    "after record_ends",
    "before mark_finalized",
    "after mark_finalized",
]


def states(path):
    with connect_read_only(path) as db:
        return db.conn.execute("SELECT state, is_finalized FROM attempt").fetchall()


@pytest.mark.parametrize("line", LINES)
async def test_kill_minus_nine_at_any_line_lands_the_job_exactly_once(tmp_path, line):
    path = tmp_path / "keeper.db"
    with serve_cluster(slot_s=0.012) as (cluster, url):
        command = [sys.executable, "-m", "tests.programs.doomed", url, str(path), line, "a"]
        killed = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=30)  # noqa: ASYNC221 - nothing else runs here
        assert killed.returncode == -9, killed.stderr.decode()
        recorded = states(path)
        assert len(recorded) == (0 if line == "before record_attempt" else 1)
        if not recorded:
            assert cluster.sends == {}
        # The second life settles first, and takes the job up only if nothing is known of it.
        await run(url, path, "never", None if recorded else "a")
        assert cluster.executed == {b"a": 1}
    assert states(path) == [("landed", 1)]


async def test_the_killer_passes_everything_else_on():
    class Inner:
        async def double(self, number):
            return 2 * number

    assert await Doomed(Inner(), "never").double(4) == 8
