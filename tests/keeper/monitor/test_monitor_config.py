"""[monitor] of keeper.toml, and the token that it names."""

import pytest

from keeper.errors import MonitorError
from keeper.monitor.config import MonitorConfig
from keeper.monitor.token import load_token


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host):
    assert MonitorConfig(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "monitor.example"])
def test_an_address_that_others_reach_is_refused_without_a_token(host, tmp_path):
    with pytest.raises(ValueError, match=r"set monitor\.token_file"):
        MonitorConfig(host=host)
    assert not MonitorConfig(host=host, token_file=tmp_path / "token").is_loopback


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"port": -1}, "expected 0 to 65535"),
        ({"port": 70_000}, "expected 0 to 65535"),
        ({"linger_s": float("nan")}, "expected 0 to 3600"),
        ({"explorer_url": "https://explorer.example/"}, "in it"),
        ({"explorer_url": "javascript:{signature}"}, "an http"),
    ],
)
def test_values_that_mean_nothing_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        MonitorConfig(**values)


def test_a_token_is_read_from_a_file_of_its_owner_only(tmp_path):
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o640)
    with pytest.raises(MonitorError, match="mode 0640: others may read it"):
        load_token(path)
    path.chmod(0o600)
    assert "0123456789abcdef" == load_token(path)
    assert load_token(None) is None


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 600, "0123456789:abcdef", "ünïcode-is-no-token"]
)
def test_what_is_no_token_is_refused_and_not_shown(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(MonitorError, match="expected one line") as refused:
        load_token(path)
    assert not text or text not in str(refused.value)


def test_a_missing_token_file_is_answered_with_how_to_make_one(tmp_path):
    with pytest.raises(MonitorError, match="openssl rand"):
        load_token(tmp_path / "none")
