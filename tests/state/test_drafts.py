import os
import stat
from pathlib import Path

import pytest

from state.drafts import create_draft


def test_a_draft_is_new_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "draft"
    path.write_text("left behind, and longer")
    path.chmod(0o644)
    with os.fdopen(create_draft(path), "w") as out:
        out.write("new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_link_leads_to_is_neither_written_nor_taken_away(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    path = tmp_path / "draft"
    for target in ("victim", "nowhere", "draft"):
        path.unlink(missing_ok=True)
        path.symlink_to(tmp_path / target)
        os.close(create_draft(path))
        assert not path.is_symlink()
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_in_its_place_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "draft").mkdir()
    with pytest.raises(OSError, match="draft"):
        create_draft(tmp_path / "draft")
