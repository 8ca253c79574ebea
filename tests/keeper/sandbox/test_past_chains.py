"""keeper/sandbox/past_chains.py: what is left of sandboxes does not pile up."""

import os

from keeper.sandbox.past_chains import forget_past_chains


def test_of_many_past_chains_the_newest_five_stay_with_their_manifests(tmp_path):
    (tmp_path / "payouts").mkdir()
    chains = [f"chain{i}AAAAAA" for i in range(8)]
    for age, chain in enumerate(chains):
        for kind in ("keeper", "incentives"):
            path = tmp_path / f"{kind}-{chain}.db"
            path.write_bytes(b"")
            os.utime(path, (1_000 - age, 1_000 - age))
        (tmp_path / "payouts" / f"{chain[:8]}-00000001-00000.json").write_text("{}")
    (tmp_path / "payouts" / "by-hand.json").write_text("{}")
    forget_past_chains(tmp_path)
    kept = [chain[:8] for chain in chains[:5]]
    assert sorted(f"keeper-{chain}.db" for chain in chains[:5]) == sorted(
        path.name for path in tmp_path.glob("keeper-*.db")
    )
    assert ["by-hand.json", *(f"{name}-00000001-00000.json" for name in kept)] == sorted(
        path.name for path in (tmp_path / "payouts").iterdir()
    )
