"""Settlement killed at random, in short: `python -m bench.payout_kills` does it more than a hundred times."""

import json
import subprocess
import sys

from processes import ROOT

COMMAND = (sys.executable, "-m", "bench.payout_kills")
KILLS = 3
PATIENCE_S = 240.0


def test_keepers_killed_while_they_settle_pay_every_wallet_exactly_its_leaf_once():
    ended = subprocess.run(
        [*COMMAND, "--kills", str(KILLS), "--faults", "light", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.stdout, ended.stderr
    found = json.loads(ended.stdout)
    assert [] == found["violations"], ended.stderr
    assert [] == found["blind_spots"]
    assert {} == found["ended_alone"]
    assert KILLS == found["kills"]
    assert found["paid_by_keeper"] > 0
    # One wallet has no token account and may get none.
    assert found["leaves"] - found["roots"] == found["paid_by_keeper"] + found["claimed_by_wallets"]
    assert 0 == ended.returncode
