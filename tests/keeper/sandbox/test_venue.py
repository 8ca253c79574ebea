"""The venue's endpoints, over real loopback sockets."""

from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
import trio
from httpx_ws import HTTPXWSException, aconnect_ws

from keeper.sandbox.venue.serve import VenueAddressError, serve_venue
from keeper.sandbox.venue.venue import Endpoint, Venue, VenueConfig

NEVER_MS = 3_600_000


@asynccontextmanager
async def served(**settings):
    config = VenueConfig(port=0, **{"markets": 3, "tick_ms": NEVER_MS, **settings})
    venue = Venue(config)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(partial(serve_venue, config, venue=venue))
            async with httpx.AsyncClient(base_url=url) as client:
                yield venue, client
            nursery.cancel_scope.cancel()


async def got(client, path, **params):
    response = await client.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


async def test_every_read_of_the_clob_agrees_with_the_book():
    async with served() as (venue, client):
        token_id, other = venue.markets[0].token_ids[0], venue.markets[1].token_ids[0]
        book = await got(client, "/book", token_id=token_id)
        bid, ask = book["bids"][-1]["price"], book["asks"][-1]["price"]
        assert float(bid) == max(float(one["price"]) for one in book["bids"])
        assert float(ask) == min(float(one["price"]) for one in book["asks"])
        assert await got(client, "/price", token_id=token_id, side="BUY") == {"price": bid}
        assert await got(client, "/price", token_id=token_id, side="SELL") == {"price": ask}
        mid = (await got(client, "/midpoint", token_id=token_id))["mid"]
        assert float(mid) == pytest.approx((float(bid) + float(ask)) / 2)
        spread = (await got(client, "/spread", token_id=token_id))["spread"]
        assert float(spread) == pytest.approx(float(ask) - float(bid))
        traded = await got(client, "/last-trade-price", token_id=token_id)
        assert traded["price"] == book["last_trade_price"]
        assert isinstance(await got(client, "/time"), int)

        batch = [{"token_id": token_id}, {"token_id": "404"}, {"token_id": other}]
        books = (await client.post("/books", json=batch)).json()
        assert [one["asset_id"] for one in books] == [token_id, other]
        mids = (await client.post("/midpoints", json=batch)).json()
        assert mids.keys() == {token_id, other}
        assert mids[token_id] == mid
        assert (await client.post("/spreads", json=batch)).json()[token_id] == spread


async def test_the_clob_refuses_in_the_venues_words():
    async with served() as (_, client):
        for path in ("/book", "/midpoint", "/price?side=BUY", "/spread"):
            response = await client.get(path, params={"token_id": "404", "side": "BUY"})
            assert response.status_code == 404
            assert response.json() == {"error": "No orderbook exists for the requested token id"}
        assert await got(client, "/last-trade-price", token_id="404") == {
            "price": "0.5",
            "side": "",
        }
        assert (await client.get("/price", params={"side": "UP"})).status_code == 400
        too_many = [{"token_id": str(number)} for number in range(501)]
        assert (await client.post("/books", json=too_many)).status_code == 400
        assert (await client.post("/midpoints", content=b"{")).status_code == 400
        assert (await client.post("/spreads", json=[5])).status_code == 400


async def test_gamma_lists_by_offset_by_cursor_and_by_id():
    async with served(markets=5) as (venue, client):
        conditions = [one.condition_id for one in venue.markets]
        legacy = await got(client, "/markets", limit=2, offset=1)
        assert [one["conditionId"] for one in legacy] == conditions[1:3]
        first = await got(client, "/markets/keyset", limit=3)
        rest = await got(client, "/markets/keyset", limit=3, after_cursor=first["next_cursor"])
        listed = [one["conditionId"] for one in first["markets"] + rest["markets"]]
        assert listed == conditions
        assert "next_cursor" not in rest
        # As at the venue, `cursor` is ignored and a cursor of rubbish starts again.
        assert await got(client, "/markets/keyset", limit=3, cursor=first["next_cursor"]) == first
        assert await got(client, "/markets/keyset", limit=3, after_cursor="%%") == first
        assert (await client.get("/markets/keyset", params={"offset": 1})).status_code == 422
        by_token = await got(client, "/markets", clob_token_ids=venue.markets[4].token_ids[1])
        assert [one["conditionId"] for one in by_token] == conditions[4:]
        assert await got(client, "/markets", condition_ids=conditions[2], closed="true") == []
        events = await got(client, "/events/keyset", limit=1)
        assert events["events"][0]["markets"][0]["conditionId"] == conditions[0]
        simplified = await got(client, "/simplified-markets")
        assert [one["condition_id"] for one in simplified["data"]] == conditions
        assert (simplified["count"], simplified["next_cursor"]) == (5, "LTE=")


async def test_a_socket_gets_snapshots_first_and_then_every_move_of_its_tokens():
    async with served() as (venue, client):
        yes, no = venue.markets[0].token_ids
        url = str(client.base_url).replace("http", "ws", 1) + "/ws/market"
        async with aconnect_ws(url, client) as socket:
            await socket.send_json({"assets_ids": [yes], "type": "market"})
            (opening,) = await socket.receive_json()
            assert (opening["asset_id"], opening["event_type"]) == (yes, "book")
            venue.set_price(1, 600_500)
            venue.set_price(0, 700_500)
            change = await socket.receive_json()
            assert change["market"] == venue.markets[0].condition_id
            assert {one["asset_id"] for one in change["price_changes"]} == {yes, no}
            await socket.send_text("PING")
            assert await socket.receive_text() == "PONG"
            await socket.send_json({"assets_ids": [yes], "operation": "unsubscribe"})
            await socket.send_text("PING")
            assert await socket.receive_text() == "PONG"
            venue.set_price(0, 300_500)
            await socket.send_text("PING")
            assert await socket.receive_text() == "PONG"


@pytest.mark.parametrize(
    "said",
    ["hello", "[]", '{"assets_ids": 5}', str({"assets_ids": list(range(201))}).replace("'", '"')],
    ids=["no json", "no object", "no list", "too many assets"],
)
async def test_a_socket_that_talks_nonsense_is_closed(said):
    async with served() as (_, client):
        url = str(client.base_url).replace("http", "ws", 1) + "/ws/market"
        async with aconnect_ws(url, client) as socket:
            await socket.send_text(said)
            with pytest.raises(HTTPXWSException):
                await socket.receive_text()


async def test_an_outage_is_503_for_its_family_alone_and_cuts_the_stream():
    async with served() as (venue, client):
        venue.take_down(Endpoint.CLOB)
        assert (await client.get("/time")).status_code == 503
        assert (await client.get("/markets")).status_code == 200
        venue.bring_up(Endpoint.CLOB)
        assert (await client.get("/time")).status_code == 200
        url = str(client.base_url).replace("http", "ws", 1) + "/ws/market"
        async with aconnect_ws(url, client) as socket:
            await socket.send_text("PING")
            assert await socket.receive_text() == "PONG"
            venue.take_down(Endpoint.STREAM)
            with pytest.raises(HTTPXWSException):
                await socket.receive_text()
        with pytest.raises(HTTPXWSException):
            async with aconnect_ws(url, client):
                pass


async def test_prices_move_by_themselves_at_every_tick():
    async with served(tick_ms=2) as (venue, client):
        before = venue.price_e6(0)
        token_id = venue.markets[0].token_ids[0]
        book = await got(client, "/book", token_id=token_id)
        while venue.price_e6(0) == before or await got(client, "/book", token_id=token_id) == book:
            pass  # Every round is a request: the deadline is the fixture's.


async def test_a_replay_names_the_recorded_file_of_every_reply(recorded):
    async with served(replay=recorded) as (_, client):
        markets = await client.get("/markets")
        assert markets.headers["X-Recorded-Body"] == "gamma_binary_market.json"
        token_id = "55302250828823180276187438149698246226978412434312478767847394628702439947936"
        other = "4394372887385518214471608448209527405727552777602031099972143344338178308080"
        for path, side, name in (
            ("/book", "", "clob_book_binary.json"),
            ("/midpoint", "", "clob_midpoint.json"),
            ("/price", "BUY", "clob_price.json"),
            ("/spread", "", "clob_book_binary.json"),
        ):
            response = await client.get(path, params={"token_id": token_id, "side": side})
            assert response.headers["X-Recorded-Body"] == name
        response = await client.post("/books", json=[{"token_id": other}, {"token_id": token_id}])
        names = "clob_book_negrisk_outcome.json, clob_book_binary.json"
        assert response.headers["X-Recorded-Body"] == names
        assert "X-Recorded-Body" not in (await client.get("/time")).headers


async def test_a_port_in_use_is_one_clear_sentence():
    async with served() as (_, client):
        config = VenueConfig(port=client.base_url.port, markets=1)
        with pytest.raises(VenueAddressError, match=r"cannot listen on .*Address already in use"):
            await serve_venue(config)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("markets", 0), ("tick_ms", 0), ("port", 65_536), ("jump_points_e6", 500_000)],
)
def test_a_setting_that_means_nothing_is_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=f"{setting} is {value}, wanted"):
        VenueConfig(**{setting: value})
