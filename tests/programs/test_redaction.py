"""No secret stands in a log line, whichever way it came there; what operators need stays readable."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs.redaction import HIDDEN, Redaction, redaction_for

KEYPAIR = Keypair.from_seed(bytes(range(32)))
SECRETS = {
    "base58": str(KEYPAIR),
    "hex": bytes(KEYPAIR).hex(),
    "file": json.dumps(list(bytes(KEYPAIR))),
    "file without spaces": json.dumps(list(bytes(KEYPAIR)), separators=(",", ":")),
}
PROVIDER = "https://solana.example/v2/8f3a9c1d-SECRET-77"
QUERY = "wss://rpc.example:9000/?api-key=abcdef0123456789"
USER = "https://ann:hunter22secret@rpc2.example"
SINK = "https://hooks.slack.example/services/T00000000/B00000000/XXXXXXXXXXXX"


@pytest.fixture
def redaction():
    return redaction_for([PROVIDER, QUERY, USER, SINK], tokens=["status-token-1234"])


@pytest.mark.parametrize("form", SECRETS)
def test_a_keypair_is_hidden_however_it_is_written_and_nobody_had_to_name_it(form):
    told = Redaction().text(f"cannot read key {SECRETS[form]}: bad file")
    assert f"cannot read key {HIDDEN}: bad file" == told


@pytest.mark.parametrize("value", [bytes(KEYPAIR), list(bytes(KEYPAIR)), tuple(bytes(KEYPAIR))])
def test_a_keypair_is_hidden_as_bytes_too(value):
    assert {"a": [HIDDEN]} == Redaction().value({"a": [value]})


def test_a_keypair_object_is_told_by_its_address():
    assert f"[keypair of {KEYPAIR.pubkey()}]" == Redaction().value(KEYPAIR)


def test_signatures_addresses_and_hashes_stay(redaction):
    signature = KEYPAIR.sign_message(b"told to operators")
    for found in (signature, Pubkey.new_unique(), Hash.new_unique(), bytes(signature).hex()):
        assert str(found) == redaction.value(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"ConnectError: {PROVIDER} refused", "ConnectError: https://solana.example/… refused"),
        ("GET 'https://solana.example/v2/other'", "GET 'https://solana.example/…'"),
        (f"<{QUERY}>", "<wss://rpc.example:9000/…>"),
        (USER, f"https://{HIDDEN}@rpc2.example"),
        ("path /v2/8f3a9c1d-SECRET-77 not found", f"path /v2/{HIDDEN} not found"),
        ("hunter22secret", HIDDEN),
        (f"POST {SINK} 404", "POST https://hooks.slack.example/… 404"),
        ("header status-token-1234.", f"header {HIDDEN}."),
        ("Authorization: Bearer abc.def-123456", f"Authorization: Bearer {HIDDEN}"),
        ("authorization: basic YW5uOnB3MTIzNA==", f"authorization: basic {HIDDEN}"),
        (
            "https://other.example/x?id=7&apiKey=zzz&y=1",
            f"https://other.example/x?id=7&apiKey={HIDDEN}&y=1",
        ),
        ("https://bob:pw@nobody.told/x", f"https://{HIDDEN}@nobody.told/x"),
    ],
)
def test_credentials_are_hidden_in_urls_and_alone(redaction, text, expected):
    assert expected == redaction.text(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://clob.polymarket.com/books?token_id=123",
        "wss://ws-subscriptions-clob.polymarket.com/ws/market",
        "slot 301000000 of https://rpc.example.org:8899",
        "basic liquidations are stale; bearer of announcements",
        "a/b?c=d&e=f",
    ],
)
def test_what_is_no_secret_is_told_as_it_is(redaction, text):
    assert text == redaction.text(text).replace(HIDDEN, "123")


def test_errors_mappings_and_sets_are_looked_into_however_deep(redaction):
    deep = {"error": ValueError(f"bad answer of {PROVIDER}"), PROVIDER: {"hunter22secret"}}
    for _ in range(20):
        deep = {"inner": deep}
    told = json.dumps(redaction.value(deep))
    assert "SECRET" not in told
    assert "hunter22" not in told


@settings(max_examples=25)
@given(st.recursive(st.text() | st.integers() | st.none() | st.binary(), st.lists, max_leaves=20))
def test_whatever_is_logged_comes_back_as_json(found):
    json.dumps(Redaction().value(found))


@settings(max_examples=25)
@given(st.text(), st.text())
def test_a_secret_is_gone_wherever_it_stands(before, after):
    assert str(KEYPAIR) not in Redaction().text(f"{before} {KEYPAIR} {after}")
