"""A source of one's own, as docs/prices.md adds it: a JSON page on a socket, to which the feed falls."""

from dataclasses import dataclass
from functools import partial

import httpx
import hypercorn.config
import hypercorn.trio
import pytest
import trio
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.errors import VenueError
from keeper.prices.feed import feed
from keeper.prices.feed_config import FeedConfig
from keeper.prices.numerals import price_e6_from
from keeper.prices.observation import Observation
from keeper.prices.price import PriceClass, Reason, TokenId
from keeper.prices.quote import quote
from keeper.prices.source import Hearing
from keeper.prices.strict_json import load_strict
from keeper.prices.traits import SourceTraits

ONE = TokenId("1")


class MirrorDownError(VenueError):
    """The mirror gave no answer."""

    kind = "mirror_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSource:
    """A page with the best bid and ask of every token, served by somebody else."""

    client: httpx.AsyncClient
    url: str
    interval_ms: int

    @property
    def traits(self) -> SourceTraits:
        """It carries on when all others are gone, and is never better than degraded."""
        return SourceTraits(
            name="mirror",
            rank=3,
            best_class=PriceClass.DEGRADED,
            fresh_ms=3 * self.interval_ms,
            is_compared=False,
            is_of_engine=False,
        )

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Ask for the page once per interval."""
        while True:
            try:
                with trio.fail_after(self.interval_ms / 1_000):
                    answer = await self.client.get(self.url)
                page = load_strict(answer.text)
            except (httpx.HTTPError, trio.TooSlowError) as error:
                hearing.fail("mirror", MirrorDownError(f"{self.url}: {error}"))
                hearing.miss("mirror")
            else:
                hearing.succeed("mirror")
                for token_id in followed.get() or ():
                    self._tell(hearing, token_id, page)
            await trio.sleep(self.interval_ms / 1_000)

    def _tell(self, hearing: Hearing, token_id: TokenId, page: object) -> None:
        entry = page.get(token_id) if isinstance(page, dict) else None
        if not isinstance(entry, dict):
            hearing.refuse("mirror", "token_missing")
            return
        observation = Observation(
            source="mirror",
            quote=quote(price_e6_from(entry["bid"]), price_e6_from(entry["ask"])),
            received_at_s=trio.current_time(),
            content_time_ms=None,
        )
        hearing.observe(token_id, observation)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrieflyThereSource:
    """A better source, which speaks twice and is gone."""

    @property
    def traits(self) -> SourceTraits:
        return SourceTraits(name="brief", rank=0, best_class=PriceClass.VALID, fresh_ms=100)

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        _, tokens = await followed.wait_newer(0)
        for token_id in tokens:
            observation = Observation(
                source="brief",
                quote=quote(400_000, 410_000),
                received_at_s=trio.current_time(),
                content_time_ms=None,
            )
            hearing.observe(token_id, observation)
        await trio.sleep_forever()


async def test_the_feed_falls_to_an_added_source_and_judges_it_by_its_traits_alone():
    async def page(_):
        return JSONResponse({"1": {"bid": "0.42", "ask": "0.44"}})

    server = hypercorn.config.Config()
    server.bind = ["127.0.0.1:0"]
    server.errorlog = None
    app = Starlette(routes=[Route("/page", page)])
    board, followed = PriceBoard(), Newest()
    followed.publish((ONE, TokenId("2")))
    config = FeedConfig(slot_ms=40)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery, httpx.AsyncClient(trust_env=False) as client:
            (url,) = await nursery.start(partial(hypercorn.trio.serve, app, server))
            mirror = MirrorSource(client=client, url=f"{url}/page", interval_ms=200)
            sources = [mirror, BrieflyThereSource()]
            await nursery.start(partial(feed, config, followed, board, sources=sources))
            seen = []
            sequence = 0
            while "mirror" not in [source for source, _ in seen]:
                sequence = await board.wait_newer(sequence)
                if (price := board.get(ONE)) is not None:
                    seen.append((price.source, price.price_class))
            nursery.cancel_scope.cancel()
    assert seen[0] == ("brief", PriceClass.VALID)
    price = board.get(ONE)
    assert (price.source, price.price_e6, price.reason) == ("mirror", 430_000, Reason.FALLBACK)
    assert price.price_class is PriceClass.DEGRADED
    # Its distance from the last valid price, 0.405, is in its band, as any cached quote's is.
    assert price.band_e6 == 10_000 + 25_000
    assert board.statistics().refusals["mirror.token_missing"] > 0
    assert [view.source for view in board.heard(ONE)][-1] == "mirror"


async def test_an_added_source_that_fails_is_counted_and_halts_with_the_others(autojump_clock):
    board, followed = PriceBoard(), Newest()
    followed.publish((ONE,))

    def refuse(_):
        raise httpx.ConnectError("refused")

    with trio.move_on_after(5):
        async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
            mirror = MirrorSource(client=client, url="http://mirror/page", interval_ms=200)
            await feed(FeedConfig(), followed, board, sources=[mirror])
    assert board.statistics().errors["mirror.mirror_down"] >= 5
    assert board.why_unpriced(ONE) is Reason.SOURCES_FAILING


@pytest.mark.parametrize("name", ["last_good"])
def test_a_source_may_not_call_itself_the_last_good_price(name):
    traits = SourceTraits(name=name, rank=9, best_class=PriceClass.DEGRADED, fresh_ms=1)
    with pytest.raises(ValueError, match="last_good"):
        FeedConfig().trust_rules.__class__(slot_ms=400, sources=(traits,))
