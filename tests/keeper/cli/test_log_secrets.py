"""What leaves through the log has no secrets in it, in every form, from every module, libraries included."""

import json
import logging

import pytest
import structlog
from solders.keypair import Keypair

from keeper.cli.logs import keep_notices, open_logs, redaction_of
from keeper.config import parse_config

KEY = "f00dfeedc0ffee123456"
URL = f"https://rpc.example/v2/{KEY}"
HOOK = "T0000000/B0000000/XYZXYZXYZ"
KEYPAIR = Keypair.from_seed(bytes(32))
SIGNATURE = str(KEYPAIR.sign_message(b""))


@pytest.fixture
def config(tmp_path):
    secret_file = tmp_path / "sink-url"
    secret_file.write_text("https://hooks.example/xyz/IN-A-FILE-ONLY\n")
    key_file = tmp_path / "routing-key"
    key_file.write_text("R0UTING-KEY-OF-OURS\n")
    raw = {
        "cluster": {"rpc_urls": [URL], "program_id": str(KEYPAIR.pubkey())},
        "keys": {"keeper": "key.json"},
        "state": {"folder": "state"},
        "monitor": {
            "sinks": [
                {"kind": "webhook", "url": f"https://hooks.example/services/{HOOK}"},
                {
                    "kind": "webhook",
                    "shape": "pagerduty",
                    "routing_key_file": str(key_file),
                },
                {"kind": "webhook", "url_file": str(secret_file)},
                {"kind": "webhook", "url_file": str(tmp_path / "missing")},
            ]
        },
        "polymarket": {"clob_url": "https://ann:hunter2222@proxy.example/clob"},
    }
    return parse_config(raw, tmp_path / "keeper.toml")


def say_all():
    log = structlog.get_logger()
    log.warning("key.read", key=KEYPAIR, text=f"{KEYPAIR}", data=bytes(KEYPAIR), url=URL)
    log.warning("batch.signed", signature=SIGNATURE, by_url={URL: [KEY]})
    logging.getLogger("library").error("cannot reach %s as ann:hunter2222", URL)
    try:
        call_nobody()
    except ConnectionError:
        log.exception("call.failed", endpoint=URL)


def call_nobody():
    raise ConnectionError(f"no route to {URL}")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_log_has_no_secret_and_every_signature(tmp_path, config, form):
    path = tmp_path / "log"
    with (
        path.open("w") as stream,
        open_logs(
            stream,
            form=form,
            redaction=redaction_of(config, tokens=["a-status-token"]),
            explorer_url="https://explorer.example/tx/{signature}?cluster=devnet",
        ),
    ):
        say_all()
        structlog.get_logger().info("token.read", header="x a-status-token")
        sinks = f"https://hooks.example/services/{HOOK} R0UTING-KEY-OF-OURS IN-A-FILE-ONLY"
        structlog.get_logger().info("sink.failed", reason=sinks)
    text = path.read_text()
    for secret in (
        "XYZXYZXYZ",
        "R0UTING",
        "IN-A-FILE",
        KEY,
        "hunter2222",
        str(KEYPAIR),
        "a-status-token",
        repr(bytes(KEYPAIR))[2:-1],
    ):
        assert secret not in text
    assert 2 == text.count(SIGNATURE)
    assert f"https://explorer.example/tx/{SIGNATURE}?cluster=devnet" in text
    assert "no route to https://rpc.example/" in text


def test_a_line_of_json_stays_json_with_its_first_things_first(tmp_path, config):
    path = tmp_path / "log"
    with path.open("w") as stream, open_logs(stream, form="json", redaction=redaction_of(config)):
        say_all()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert ["key.read", "batch.signed", "library.said", "call.failed"] == [
        line["event"] for line in lines
    ]
    assert all(["timestamp", "level", "event"] == list(line)[:3] for line in lines)
    assert "https://rpc.example/…" == lines[3]["endpoint"]
    assert "no route to https://rpc.example/…" in lines[3]["exception"]
    assert "explorer_url" not in lines[1]


def test_the_live_view_shows_no_secret_either(config):
    with keep_notices(redaction_of(config)) as notices:
        say_all()
    told = " ".join(notice.text for notice in notices)
    assert SIGNATURE in told
    assert KEY not in told
    assert str(KEYPAIR) not in told
