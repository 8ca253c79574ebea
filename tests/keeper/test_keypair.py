"""keeper/keypair.py."""

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair

from keeper.errors import KeypairError
from keeper.keypair import create_keypair, load_keypair


def test_a_created_keypair_is_read_back_and_nobody_else_can_read_it(tmp_path):
    key = Keypair()
    path = tmp_path / "keys" / "keeper.json"

    create_keypair(path, key)

    assert key == load_keypair(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_existing_keypair_is_never_replaced(tmp_path):
    path = tmp_path / "keeper.json"
    create_keypair(path, Keypair())
    before = path.read_bytes()

    with pytest.raises(KeypairError, match="cannot be written"):
        create_keypair(path, Keypair())

    assert before == path.read_bytes()


def test_a_missing_keypair_says_how_to_make_one(tmp_path):
    with pytest.raises(KeypairError, match=r"does not exist: create it with `solana-keygen new"):
        load_keypair(tmp_path / "none.json")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o644, 0o777])
def test_a_keypair_that_others_can_reach_is_refused(tmp_path, mode):
    path = tmp_path / "keeper.json"
    create_keypair(path, Keypair())
    path.chmod(mode)

    with pytest.raises(KeypairError, match=f"mode {mode:04o}.*chmod 600"):
        load_keypair(path)


@given(
    text=st.one_of(
        st.binary(max_size=300), st.lists(st.integers()).map(lambda x: json.dumps(x).encode())
    )
)
def test_no_content_gets_further_than_one_sentence_that_does_not_repeat_it(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("keys") / "keeper.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)

    with pytest.raises(KeypairError) as refused:
        load_keypair(path)

    assert "\n" not in str(refused.value)
    words = str(refused.value).replace(str(path), "")
    assert "malformed" in words or "cannot be read" in words


def test_a_public_key_that_does_not_belong_to_the_secret_is_refused(tmp_path):
    path = tmp_path / "keeper.json"
    create_keypair(path, Keypair())
    numbers = json.loads(path.read_text())
    numbers[63] ^= 1
    path.write_text(json.dumps(numbers))

    with pytest.raises(KeypairError, match="whose second half is the public key"):
        load_keypair(path)


def test_a_folder_or_a_huge_file_is_no_keypair(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    huge = tmp_path / "huge.json"
    huge.touch(mode=0o600)
    os.truncate(huge, 10**9)

    for path in (folder, huge):
        with pytest.raises(KeypairError, match="is no keypair file"):
            load_keypair(path)
