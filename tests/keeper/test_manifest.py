"""keeper/manifest.py: what a manifest says, and every way it may say nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.manifest import Manifest, ManifestError, ManifestHead, parse_manifest, peek
from programs.merkle import Reward

WALLET = Pubkey(bytes([3] * 32))
WELL = {"epoch": 3, "index": 1, "root": "ab" * 32, "leaves": [[str(WALLET), 5], [str(WALLET), 0]]}


def test_a_manifest_is_read_and_what_else_it_says_is_not():
    rewards = (Reward(wallet=WALLET, amount=5), Reward(wallet=WALLET, amount=0))
    head = ManifestHead(epoch=3, index=1, root=b"\xab" * 32)
    expected = Manifest(head=head, rewards=rewards)
    assert expected == parse_manifest(json.dumps(WELL | {"note": "season 1"}).encode())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": -1}, "epoch: found -1, expected an integer from 0"),
        ({"epoch": True}, "epoch: found True"),
        ({"index": 2**32}, "index: found 4294967296"),
        ({"index": None}, "index: found None"),
        ({"root": "ab" * 31}, "root: found .* expected 64 hex digits"),
        ({"root": "xy" * 32}, "root: found"),
        ({"root": 7}, "root: found 7"),
        ({"leaves": []}, "leaves: expected a list of 1 to 65536"),
        ({"leaves": {}}, "leaves: expected a list"),
        ({"leaves": [["not an address", 5]]}, r"leaves\[0\]: 'not an address' is no address"),
        ({"leaves": [[str(WALLET), 5], [str(WALLET), 1.5]]}, r"leaves\[1\]: found"),
        ({"leaves": [[str(WALLET), -5]]}, r"leaves\[0\]: found .* the amount a u64"),
        ({"leaves": [[str(WALLET)]]}, r"leaves\[0\]: found"),
        ({"leaves": [[str(WALLET), 2**63], [str(WALLET), 2**63]]}, "sum to more than a u64"),
    ],
)
def test_every_mistake_is_named_with_what_was_found(change, words):
    with pytest.raises(ManifestError, match=words):
        parse_manifest(json.dumps(WELL | change).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(ManifestError):
        parse_manifest(body)


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(body):
    with pytest.raises(ManifestError):
        parse_manifest(body)


def test_a_mistake_is_named_in_few_words():
    for change in ({"epoch": "x" * 10**6}, {"root": "x" * 10**6}, {"leaves": [["x" * 10**6, 1]]}):
        with pytest.raises(ManifestError) as refusal:
            parse_manifest(json.dumps(WELL | change).encode())
        assert len(str(refusal.value)) < 200


def test_what_a_file_is_about_is_read_from_its_start_where_the_leaves_come_last():
    named = {"genesis_hash": "chain", "program": "program"} | WELL
    body = json.dumps(named, indent=1).encode()
    head = peek(body[: body.index(b"leaves") + 20])
    assert head == parse_manifest(body).head
    assert head.names_its_chain
    assert not parse_manifest(json.dumps(WELL).encode()).head.names_its_chain


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"epoch": 3, "index": 1}',
        b'{"leaves": [], "epoch": 3}',
        b'{"epoch": -3, "index": 1, "leaves": []}',
        b'[1, "leaves"]',
        b'"leaves"',
        json.dumps({"leaves": [[str(WALLET), 5]]} | WELL).encode(),
    ],
)
def test_any_other_file_has_to_be_read_whole(body):
    assert peek(body) is None


def test_a_chain_that_is_no_text_is_refused():
    with pytest.raises(ManifestError, match="program: found 5, expected a text"):
        parse_manifest(json.dumps(WELL | {"program": 5}).encode())
