"""A few hundred bent frames; `python -m bench.fuzz_frames` plays them for as long as it is told."""

import trio

from bench.fuzz_frames import Sent, fuzz


def test_bent_frames_raise_nothing_and_yield_no_price_that_was_not_sent():
    counted = trio.run(fuzz, 7, 600, 30.0)
    assert counted.frames >= 600
    assert counted.priced >= 150
    assert {"stream.malformed_event", "stream.frame_not_json"} <= counted.refusals.keys()


def test_the_fuzzer_knows_an_invented_price():
    sent = Sent()
    sent.note('{"bids": [{"price": "0.40"}], "asks": [{"price": 0.43}]}')
    assert sent.explains(415_000, 15_000)
    assert sent.explains(430_000, 0)
    assert not sent.explains(416_000, 15_000)
    assert not sent.explains(500_000, 15_000)
