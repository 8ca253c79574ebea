"""Replies that are no prices: limits, blocks, error pages, redirects, and bodies that cannot be read."""

import gzip

from keeper.drills.expectations import (
    Acts,
    Asks,
    Follows,
    Keeps,
    Reaches,
    Refrains,
    Tells,
)
from keeper.drills.faults import Canned, Family
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, UNANSWERED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_HTML = "text/html; charset=UTF-8"
_MEGABYTE = 1_000_000
_VALID = (PriceClass.VALID,)
_STILL_VALID = Keeps(phase=PhaseName.DURING, classes=_VALID)


def _told(family: Family, kind: str) -> Tells:
    """Expect an operator to be told by its kind what is wrong with a family."""
    return Tells(
        phase=PhaseName.DURING, words=("source.failed", f"source={family}", f"kind={kind}")
    )


_STILL_POSTS = Acts(
    phase=PhaseName.DURING, kind=ActionKind.POST, within_s=4, market=0, near_e6=470_000
)


async def _limit(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB answers 429, Retry-After: 2")
    body = b'{"error":"Too many requests"}'
    stage.answer(Family.CLOB, Canned(status=429, body=body, headers=(("Retry-After", "2"),)))
    await stage.hold(1)
    stage.set_truth(0, 470_000)
    await stage.hold(4)
    await close_calmly(stage)


RATE_LIMITED = Scenario(
    name="rate-limited",
    title="The CLOB answers 429 with Retry-After: it is obeyed, and the stream carries on.",
    play=_limit,
    expects=(
        CALM,
        _STILL_VALID,
        _STILL_POSTS,
        # A poll every 200 ms would be 25; the keeper may have some under way, and asks twice more in 5 s.
        Asks(phase=PhaseName.DURING, family=Family.CLOB, at_most=8, at_least=1),
        _told(Family.CLOB, "status_429"),
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _limit_rudely(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB answers 429 with a page of HTML and no Retry-After")
    page = b"<html><body><h1>429 Too Many Requests</h1></body></html>"
    stage.answer(Family.CLOB, Canned(status=429, body=page, content_type=_HTML))
    await stage.hold(1)
    stage.set_truth(0, 470_000)
    await stage.hold(4)
    await close_calmly(stage)


RATE_LIMITED_RUDELY = Scenario(
    name="rate-limited-without-a-hint",
    title="The CLOB answers 429 with HTML and no Retry-After: the keeper backs off by itself.",
    play=_limit_rudely,
    expects=(
        CALM,
        _STILL_VALID,
        _STILL_POSTS,
        Asks(phase=PhaseName.DURING, family=Family.CLOB, at_most=15, at_least=1),
        _told(Family.CLOB, "status_429"),
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _block(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "Cloudflare answers 403 for the CLOB and Gamma")
    page = b"<!DOCTYPE html><html><body>error code: 1010</body></html>"
    for family in (Family.CLOB, Family.GAMMA):
        stage.answer(family, Canned(status=403, body=page, content_type=_HTML))
    await stage.hold(1)
    stage.set_truth(0, 470_000)
    await stage.hold(4)
    await close_calmly(stage)


BLOCKED = Scenario(
    name="blocked-by-cloudflare",
    title="Cloudflare answers 403 (error 1010) before both REST families: they are left alone, the stream carries on.",
    play=_block,
    expects=(
        CALM,
        _STILL_VALID,
        _STILL_POSTS,
        Asks(phase=PhaseName.DURING, family=Family.CLOB, at_most=8, at_least=1),
        Asks(phase=PhaseName.DURING, family=Family.GAMMA, at_most=8, at_least=1),
        _told(Family.CLOB, "status_403"),
        _told(Family.GAMMA, "status_403"),
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _storm(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "every endpoint answers 5xx")
    page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
    stage.answer(Family.CLOB, Canned(status=502, body=page, content_type=_HTML))
    stage.answer(Family.GAMMA, Canned(status=504, body=b"", content_type="text/plain"))
    stage.answer(Family.STREAM, Canned(status=500, body=b'{"error":"internal"}'))
    stage.hang_up()
    await stage.hold(0.5)
    stage.set_truth(0, 300_000)
    await stage.hold(6)
    await close_calmly(stage)


SERVER_ERRORS = Scenario(
    name="server-errors",
    title="A storm of 500, 502 and 504 before every endpoint, while the market moves twenty points unseen.",
    play=_storm,
    # A last good price is not stale before 15 s: what stops the keeper is that every source fails.
    settings=Settings(slot_ms=100),
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING,
            classes=(PriceClass.HALTED,),
            within_s=5,
            reason="sources_failing",
        ),
        Refrains(phase=PhaseName.DURING, after_s=5),
        Asks(phase=PhaseName.DURING, family=Family.CLOB, at_most=25, at_least=1),
        _told(Family.CLOB, "status_5xx"),
        _told(Family.GAMMA, "status_5xx"),
        HEALED,
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _redirect(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB redirects to another address")
    elsewhere = (("Location", "/elsewhere"),)
    stage.answer(Family.CLOB, Canned(status=302, headers=elsewhere))
    await stage.hold(1)
    stage.set_truth(0, 470_000)
    await stage.hold(2)
    await close_calmly(stage)


REDIRECTED = Scenario(
    name="redirected",
    title="The CLOB redirects to an address that nobody configured: it is never asked.",
    play=_redirect,
    expects=(
        CALM,
        _STILL_VALID,
        _STILL_POSTS,
        Asks(phase=PhaseName.DURING, family=Family.CLOB, at_most=0, path="/elsewhere"),
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _babble(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "half a JSON, wrong shapes and absurd numbers everywhere")
    books = b'[{"market":"0x1","asset_id":"1","bids":[{"price":"NaN","size":"1e999"}],"asks":[{"pri'
    stage.answer(Family.CLOB, Canned(status=200, body=books))
    stage.answer(Family.GAMMA, Canned(status=200, body=b'{"markets":{"0":null},"next_cursor":7}'))
    for frame in (
        "",
        "null",
        "{",
        "[" * 100_000,
        '{"event_type":"book"}',
        '[{"event_type":"book","asset_id":"1","bids":[[]],"asks":{}}]',
        '{"event_type":"price_change","price_changes":[{"asset_id":"1","price":"-1","side":"?"}]}',
        '{"event_type":"price_change","price_changes":7,"timestamp":"never"}',
        '"' + "0" * 100_000 + '"',
    ):
        stage.push(frame)
        await stage.hold(0.1)
    stage.set_truth(0, 470_000)
    await stage.hold(2.5)
    await close_calmly(stage)


MALFORMED = Scenario(
    name="malformed-bodies",
    title="Both REST families answer what is no JSON or no price, and the stream mixes nonsense into its frames.",
    play=_babble,
    expects=(
        CALM,
        Keeps(phase=PhaseName.DURING, classes=_VALID),
        Follows(phase=PhaseName.DURING, source="stream", within_s=1),
        _STILL_POSTS,
        _told(Family.CLOB, "not_json"),
        _told(Family.GAMMA, "malformed"),
        HEALED,
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _inflate(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(
        PhaseName.DURING, "bodies of 3 MB, and 16 MB packed into 70 kB, where 1 MB is allowed"
    )
    stage.answer(Family.CLOB, Canned(status=200, body=b"[" + b" " * 3 * _MEGABYTE + b"]"))
    bomb = gzip.compress(b" " * 16 * _MEGABYTE, compresslevel=1)
    packed = (("Content-Encoding", "gzip"),)
    stage.answer(Family.GAMMA, Canned(status=200, body=bomb, headers=packed))
    await stage.hold(1)
    stage.set_truth(0, 470_000)
    await stage.hold(2)
    await close_calmly(stage)


OVERSIZED = Scenario(
    name="oversized-bodies",
    title="The CLOB answers far beyond the size limit, Gamma with a gzip bomb: neither is read to its end.",
    play=_inflate,
    expects=(
        CALM,
        _STILL_VALID,
        _STILL_POSTS,
        _told(Family.CLOB, "too_large"),
        _told(Family.GAMMA, "too_large"),
        BACK,
    ),
    alarms=UNANSWERED,
)
