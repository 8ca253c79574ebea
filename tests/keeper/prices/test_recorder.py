"""The recording: what changed, a line each, and nothing that could hurt the feed."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from structlog.testing import capture_logs

from keeper.prices.observation import Observation
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId
from keeper.prices.quote import quote
from keeper.prices.recorder import FileRecorder

ONE = TokenId("1")
PRICE = Price(
    token_id=ONE,
    price_e6=500_000,
    band_e6=1_000,
    price_class=PriceClass.VALID,
    source=Source.CLOB,
    received_at_s=0,
    content_time_ms=7,
    reason=Reason.OK,
)


def seen(price_e6, at_s=0.0):
    return Observation(
        source=Source.CLOB,
        quote=quote(price_e6 - 1_000, price_e6 + 1_000),
        received_at_s=at_s,
        content_time_ms=7,
    )


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_change_is_a_line_and_a_repetition_is_none(tmp_path):
    path = tmp_path / "prices.jsonl"
    with closing(FileRecorder(path)) as recorder:
        for at_ms, price_e6 in ((1, 500_000), (2, 500_000), (3, 510_000), (4, 500_000)):
            recorder.heard(ONE, seen(price_e6, at_s=at_ms), at_ms)
        recorder.judged(PRICE, 5)
        recorder.judged(replace(PRICE, received_at_s=9, content_time_ms=8), 6)
        recorder.judged(replace(PRICE, price_class=PriceClass.STALE), 7)
    assert [(one["at_ms"], one["kind"], one["price_e6"]) for one in lines_of(path)] == [
        (1, "heard", 500_000),
        (3, "heard", 510_000),
        (4, "heard", 500_000),
        (5, "judged", 500_000),
        (7, "judged", 500_000),
    ]
    assert lines_of(path)[0] == {
        "at_ms": 1, "kind": "heard", "token_id": "1", "source": "clob", "price_e6": 500_000,
        "half_spread_e6": 1_000, "reason": "ok", "content_time_ms": 7,
    }  # fmt: skip
    assert lines_of(path)[-1] == {
        "at_ms": 7, "kind": "judged", "token_id": "1", "source": "clob", "price_e6": 500_000,
        "band_e6": 1_000, "price_class": "stale", "reason": "ok", "content_time_ms": 7,
    }  # fmt: skip


def test_a_second_run_appends_to_the_first(tmp_path):
    path = tmp_path / "prices.jsonl"
    for _ in range(2):
        with closing(FileRecorder(path)) as recorder:
            recorder.judged(PRICE, 1)
    assert len(lines_of(path)) == 2


def test_a_recording_ends_at_its_size_limit_and_says_so_once(tmp_path):
    path = tmp_path / "prices.jsonl"
    with capture_logs() as told, closing(FileRecorder(path, bytes_max=1_000)) as recorder:
        for number in range(100):
            recorder.heard(ONE, seen(100_000 + number * 1_000), number)
    assert path.stat().st_size <= 1_000
    assert lines_of(path)
    assert [one["event"] for one in told] == ["recording.ended"]


def test_a_full_disk_ends_the_recording_and_nothing_else():
    with capture_logs() as told, closing(FileRecorder(Path("/dev/full"))) as recorder:
        recorder.judged(PRICE, 1)
        recorder.judged(replace(PRICE, price_e6=1), 2)
    assert [(one["event"], one["reason"]) for one in told] == [
        ("recording.ended", "No space left on device")
    ]
