import json

import pytest

from keeper.sandbox.venue.recorded import RecordingError, load_recording

BOOK = {
    "asset_id": "1",
    "bids": [{"price": "0.062", "size": "1"}, {"price": "0.063", "size": "1"}],
    "asks": [{"price": "0.068", "size": "1"}],
}
MARKET = {
    "conditionId": "0x" + "ab" * 32,
    "clobTokenIds": '["1", "2"]',
    "outcomes": '["Yes", "No"]',
}
CAPTURE = [
    [{"event_type": "book", **BOOK}],
    {"event_type": "price_change", "price_changes": [{"asset_id": "7"}]},
]


@pytest.fixture
def folder(tmp_path):
    def written(**bodies):
        for name, body in bodies.items():
            text = body if isinstance(body, str) else json.dumps(body)
            (tmp_path / f"{name}.json").write_text(text)
        return tmp_path

    return written


def test_kinds_are_told_by_shape_and_not_by_name(folder):
    venue = load_recording(folder(a=CAPTURE, b=MARKET, c={"mid": "0.0655"}, d=BOOK))
    assert venue.book("1").recorded_body == "d.json"
    assert venue.midpoint("1").recorded_body == "c.json"
    assert [one.recorded_body for one in venue.listings()] == ["b.json"]
    assert venue.capture_name == "a.json"
    assert [frame.body for frame in venue.opening_frames(["7"])] == CAPTURE[1:]
    assert venue.book("2") is None
    assert venue.set_aside == {}


def test_a_midpoint_or_price_belongs_to_the_one_book_that_agrees(folder):
    other = {**BOOK, "asset_id": "2", "bids": [{"price": "0.06", "size": "1"}]}
    venue = load_recording(folder(x={"price": "0.063"}, y={"mid": "0.064"}, one=BOOK, two=other))
    assert venue.price("1", "BUY").recorded_body == "x.json"
    assert venue.price("1", "SELL").recorded_body == "one.json"
    assert (venue.midpoint("1").body, venue.midpoint("1").recorded_body) == (
        {"mid": "0.0655"},
        "one.json",
    )
    assert venue.midpoint("2").recorded_body == "y.json"


def test_what_several_books_or_none_agree_with_is_set_aside_with_the_reason(folder):
    other = {**BOOK, "asset_id": "2"}
    venue = load_recording(
        folder(x={"price": "0.063"}, y={"mid": "0.9"}, z={"hello": 1}, one=BOOK, two=other)
    )
    assert "2 recorded books agree" in venue.set_aside["x.json"]
    assert "0 recorded books agree" in venue.set_aside["y.json"]
    assert "by its shape" in venue.set_aside["z.json"]


def test_a_second_capture_is_set_aside(folder):
    venue = load_recording(folder(a=CAPTURE, b=CAPTURE))
    assert venue.capture_name == "a.json"
    assert "already streamed" in venue.set_aside["b.json"]


def test_a_folder_with_nothing_to_serve_is_one_clear_sentence(folder, tmp_path):
    with pytest.raises(RecordingError, match="is no folder"):
        load_recording(tmp_path / "missing")
    with pytest.raises(RecordingError, match="holds no recorded book"):
        load_recording(folder(a={"hello": 1}))
    with pytest.raises(RecordingError, match=r"a\.json cannot be replayed"):
        load_recording(folder(a="{"))


def test_the_recorded_folder_is_understood_whole(recorded):
    venue = load_recording(recorded)
    assert venue.set_aside == {}
    assert len(venue.books) == 2
    (market,) = venue.listings()
    token_id = json.loads(market.body["clobTokenIds"])[0]
    assert venue.book(token_id).recorded_body == "clob_book_binary.json"
    assert venue.midpoint(token_id).recorded_body == "clob_midpoint.json"
    assert venue.price(token_id, "buy").recorded_body == "clob_price.json"
    assert venue.price(token_id, "sell").recorded_body == "clob_book_binary.json"
    assert len(venue.frames) == 5
