"""state/drafts.py: what is in the way of a draft is never written through."""

import stat

import pytest

from state.drafts import FOR_EVERYBODY, open_draft, put_whole


@pytest.fixture
def strangers(tmp_path):
    """A file of somebody else's, to which a link under the draft's name points."""
    found = tmp_path / "strangers"
    found.write_text("theirs")
    return found


def mode_of(file):
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("plant", ["symlink_to", "hardlink_to"])
def test_a_link_under_the_drafts_name_is_replaced_and_not_followed(tmp_path, strangers, plant):
    draft, file = tmp_path / ".file.draft", tmp_path / "file"
    getattr(draft, plant)(strangers)
    put_whole(file, draft, ["ours\n", "whole\n"])
    assert ("ours\nwhole\n", "theirs") == (file.read_text(), strangers.read_text())
    assert not file.is_symlink()
    assert (0o600, False) == (mode_of(file), draft.exists())


def test_whatever_an_earlier_process_left_there_is_written_anew(tmp_path):
    draft, file = tmp_path / ".file.draft", tmp_path / "file"
    draft.write_text("half of something longer")
    draft.chmod(0o666)
    file.symlink_to(tmp_path / "nowhere")
    put_whole(file, draft, ["whole"], mode=FOR_EVERYBODY)
    assert ("whole", 0o644) == (file.read_text(), mode_of(file))
    assert not (tmp_path / "nowhere").exists()


def test_what_cannot_be_taken_away_is_an_error(tmp_path):
    (tmp_path / "draft").mkdir()
    with pytest.raises(OSError, match="draft"):
        open_draft(tmp_path / "draft")
