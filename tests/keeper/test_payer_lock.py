import os
import tempfile

import pytest
from solders.pubkey import Pubkey

from keeper.errors import PayerTakenError, RuntimeFolderError
from keeper.payer_lock import hold_payers, runtime_folder

GENESIS = "EtWTRABZaYq6"
ONE, OTHER = Pubkey(bytes([1] * 32)), Pubkey(bytes([2] * 32))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A machine whose only place for locks is `tmp_path`."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    return tmp_path / f"betting-keeper-{os.geteuid()}"


def test_a_payer_is_held_by_one_keeper_whose_process_the_other_is_told(folder):
    with (
        hold_payers(GENESIS, [ONE, OTHER]),
        pytest.raises(PayerTakenError, match=f"process {os.getpid()} keeps with the payer {OTHER}"),
        hold_payers(GENESIS, [OTHER]),
    ):
        pass
    with hold_payers(GENESIS, [OTHER]):
        pass


def test_lanes_that_share_a_payer_hold_it_once_and_another_cluster_is_another_lock(folder):
    with hold_payers(GENESIS, [ONE, ONE]), hold_payers("4uhcVJyU9pJk", [ONE]):
        modes = {each.stat().st_mode & 0o777 for each in folder.iterdir()}
    assert {0o600} == modes
    assert 0o700 == folder.stat().st_mode & 0o777


def test_a_folder_that_somebody_else_may_have_made_is_not_used(folder):
    folder.symlink_to(folder.parent)
    with pytest.raises(RuntimeFolderError, match="is not a folder of user"):
        runtime_folder()
