"""Whatever the bytes are, the answer is JSON-RPC."""

import json
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.localnet import base58, jsonrpc
from programs.localnet.bank import Bank
from programs.localnet.methods import METHODS
from programs.localnet.node import Node
from programs.localnet.rpc_errors import RpcError
from programs.localnet.subscriptions import Subscriptions

BANK = Bank()
NODE = Node(BANK)
SUBSCRIPTIONS = [
    f"{kind}{verb}"
    for kind in ("account", "logs", "program", "root", "signature", "slot", "block")
    for verb in ("Subscribe", "Unsubscribe")
]


def _answer(method, params):
    if method not in METHODS:
        raise jsonrpc.method_not_found()
    return METHODS[method](NODE, params)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            str(BANK.faucet.pubkey()),
            str(Signature.default()),
            str(BANK.genesis_hash),
            "base64",
            "base58",
            "jsonParsed",
            "finalized",
            "processed",
            "all",
        ]
    ),
    st.binary(max_size=300).map(lambda data: b64encode(data).decode()),
    st.binary(max_size=80).map(base58.encode),
)
KEYS = st.sampled_from(
    [
        "commitment",
        "encoding",
        "filters",
        "memcmp",
        "dataSize",
        "offset",
        "bytes",
        "length",
        "dataSlice",
        "withContext",
        "accounts",
        "addresses",
        "sigVerify",
        "replaceRecentBlockhash",
        "skipPreflight",
        "minContextSlot",
        "limit",
        "before",
        "until",
        "mint",
        "programId",
        "mentions",
        "maxSupportedTransactionVersion",
        "transactionDetails",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)


@given(st.sampled_from([*METHODS, "nothing"]), st.one_of(st.lists(VALUES, max_size=4), VALUES))
@settings(max_examples=120, deadline=None)
def test_any_parameters_get_a_reply_that_is_json(method, params):
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    reply = json.loads(jsonrpc.encode(jsonrpc.reply(request, _answer)))
    assert reply["id"] == 7
    assert ("result" in reply) != ("error" in reply)


@given(st.sampled_from(SUBSCRIPTIONS), st.lists(VALUES, max_size=3))
@settings(max_examples=80, deadline=None)
def test_any_subscription_gets_a_reply_and_survives_a_slot(method, params):
    subscriptions = Subscriptions(NODE)
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    reply = jsonrpc.reply(request, subscriptions.answer)
    assert ("result" in reply) != ("error" in reply)
    BANK.airdrop(Keypair().pubkey(), 10**9)
    jsonrpc.encode(subscriptions.due())
    BANK.advance_slot()


@given(st.one_of(st.binary(max_size=200), VALUES.map(lambda value: json.dumps(value).encode())))
@settings(max_examples=80)
def test_any_body_is_answered_or_refused(body):
    try:
        requests = jsonrpc.requests(jsonrpc.parse_body(body))
    except RpcError:
        return
    for request in requests:
        assert jsonrpc.reply(request, _answer)["error"]["code"] == -32600


@given(st.binary(max_size=1_232))
@settings(max_examples=80, deadline=None)
def test_any_bytes_as_a_transaction_are_answered(raw):
    for method in ("sendTransaction", "simulateTransaction"):
        params = [b64encode(raw).decode(), {"encoding": "base64"}]
        reply = jsonrpc.reply({"id": 1, "method": method, "params": params}, _answer)
        assert reply["error"]["code"] == -32602 or "data" in reply["error"]


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_transaction_is_answered(data):
    """Bytes that are nearly right go deeper than random ones."""
    signature = BANK.airdrop(Pubkey.new_unique(), 10**9)
    raw = bytearray(bytes(BANK.status(signature).transaction))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    text = b64encode(raw).decode()
    for method, extra in (
        ("simulateTransaction", {"replaceRecentBlockhash": True}),
        ("sendTransaction", {"skipPreflight": True}),
        ("sendTransaction", {}),
    ):
        params = [text, {"encoding": "base64", **extra}]
        reply = jsonrpc.reply({"id": 1, "method": method, "params": params}, _answer)
        assert reply is not None
    message = b64encode(raw[65:]).decode()
    assert jsonrpc.reply({"id": 1, "method": "getFeeForMessage", "params": [message]}, _answer)


@given(st.binary(max_size=100))
def test_base58_reads_what_it_writes(data):
    assert base58.decode(base58.encode(data)) == data


def test_base58_agrees_with_solders():
    for raw in (bytes(32), bytes(range(32)), b"\0" * 31 + b"\1", b"\xff" * 32):
        assert base58.encode(raw) == str(Pubkey(raw))
        assert base58.decode(str(Pubkey(raw))) == raw


@pytest.mark.parametrize("identity", [1, 1.5, "a", None])
def test_the_id_comes_back_as_it_was(identity):
    assert jsonrpc.reply({"id": identity, "method": "getSlot"}, _answer)["id"] == identity


@pytest.mark.parametrize("identity", [[1], {}, True])
def test_an_id_of_another_kind_is_null(identity):
    assert jsonrpc.reply({"id": identity, "method": "getSlot"}, _answer)["id"] is None


def test_a_notification_gets_no_reply():
    assert jsonrpc.reply({"jsonrpc": "2.0", "method": "getSlot"}, _answer) is None


@pytest.mark.parametrize("body", [b"", b"{", b"nan", b"[" * 100_000, b'{"id": NaN}', b"\xff\xfe"])
def test_a_body_that_is_no_json_is_a_parse_error(body):
    with pytest.raises(RpcError, match="Parse error"):
        jsonrpc.parse_body(body)


@pytest.mark.parametrize("size", [0, 1_001])
def test_a_batch_has_1_to_1000_requests(size):
    with pytest.raises(RpcError, match="1 to 1000"):
        jsonrpc.requests([{}] * size)


def test_another_protocol_version_is_refused():
    reply = jsonrpc.reply({"jsonrpc": "1.0", "id": 1, "method": "getSlot"}, _answer)
    assert reply["error"]["code"] == -32600


def test_named_parameters_are_refused():
    reply = jsonrpc.reply({"id": 1, "method": "getSlot", "params": {"a": 1}}, _answer)
    assert reply["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("old", "slots"), [("recent", 0), ("single", 2), ("singleGossip", 2), ("root", 31), ("max", 31)]
)
def test_the_old_names_of_commitments_still_count(old, slots):
    bank = Bank()
    bank.advance_slot(40)
    request = {"id": 1, "method": "getSlot", "params": [{"commitment": old}]}
    reply = jsonrpc.reply(request, lambda method, params: METHODS[method](Node(bank), params))
    assert reply["result"] == bank.slot - slots
