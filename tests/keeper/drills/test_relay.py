"""keeper/drills/relay.py and `keeper drill proxy`, on real sockets, before a venue that speaks TLS."""

import os
import re
import signal
import ssl
import subprocess
import sys
from functools import partial

import httpx
import pytest
import trio
from click.testing import CliRunner
from solders.keypair import Keypair

from keeper.cli.drill_proxy import proxy_command
from keeper.drills.certificate import self_signed
from keeper.drills.orders import Order, order_of
from keeper.drills.proxy import HOST, Proxy
from keeper.drills.relay import Relay, upstream_of
from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.discovery import discover_markets
from keeper.prices.feed import feed
from keeper.prices.feed_config import FeedConfig
from keeper.sandbox.venue.serve import serve_venue
from keeper.sandbox.venue.venue import VenueConfig

PATIENCE_S = 30


@pytest.fixture
def certificate(tmp_path):
    made = self_signed("localhost", Keypair())
    path = tmp_path / "ca.pem"
    path.write_text(made.certificate)
    both = tmp_path / "server.pem"
    both.write_text(made.certificate + made.key)
    return path, both


@pytest.fixture
async def tls_port(certificate, nursery):
    """The sandbox's venue behind TLS."""
    venue_url = await nursery.start(serve_venue, VenueConfig(markets=2, port=0, tick_ms=50))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate[1])
    secured = Proxy(target_port=int(venue_url.rpartition(":")[2]), tls=context)
    await nursery.start(secured.serve)
    yield secured.port
    nursery.cancel_scope.cancel()


@pytest.fixture
async def relayed(tls_port, certificate, nursery):
    """A proxy before it, what it says, and how it is told."""
    said = []
    relay = Relay(
        upstream=upstream_of(f"https://localhost:{tls_port}"),
        say=said.append,
        tls=ssl.create_default_context(cafile=certificate[0]),
    )
    proxy = Proxy(carry=relay.carry)
    await nursery.start(proxy.serve)

    def obey(line):
        relay.order = order_of(line)
        proxy.set(*relay.order.wires, share_percent=relay.order.share_percent)

    return proxy, said, obey


async def test_requests_pass_over_verified_tls_and_break_as_ordered(relayed):
    proxy, said, obey = relayed
    url = f"http://{HOST}:{proxy.port}/time"
    with trio.fail_after(PATIENCE_S):
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
            assert (await client.get(url)).status_code == 200
            obey("status 429 retry 7")
            reply = await client.get(url)
            assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
            posted = await client.post(
                f"http://{HOST}:{proxy.port}/books", json=[{"token_id": "1"}]
            )
            assert posted.status_code == 429
            obey("none")
            assert (await client.get(url)).text.isdigit()
            obey("cut 5")
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(url)
            obey("refuse")
            with pytest.raises(httpx.ConnectError):
                await client.get(url)
            obey("none")
            assert (await client.get(url)).status_code == 200
    assert "429 instead of GET /time HTTP/1.1" in said


async def test_a_host_whose_certificate_is_not_trusted_is_not_reached(tls_port, nursery):
    said = []
    relay = Relay(upstream=upstream_of(f"https://localhost:{tls_port}"), say=said.append)
    proxy = Proxy(carry=relay.carry)
    await nursery.start(proxy.serve)
    with trio.fail_after(PATIENCE_S):
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
            with pytest.raises(httpx.HTTPError):
                await client.get(f"http://{HOST}:{proxy.port}/time")
    assert "the upstream host cannot be reached" in said[0]
    assert "certificate verify failed" in said[0]


async def test_a_feed_reads_through_it_and_a_muted_websocket_is_replaced_by_the_books(
    relayed, nursery
):
    proxy, said, obey = relayed
    url = f"http://{HOST}:{proxy.port}"
    config = FeedConfig(
        clob_url=url,
        gamma_url=url,
        stream_url=f"ws://{HOST}:{proxy.port}/ws/market",
        rest_poll_interval_ms=100,
        stream_fresh_ms=300,
    )
    board, followed = PriceBoard(), Newest()
    with trio.fail_after(PATIENCE_S):
        listings = await discover_markets(config)
        token = listings[0].yes_token_id
        followed.publish((token,))
        nursery.start_soon(partial(feed, config, followed, board))

        async def wait_for(source):
            sequence = 0
            while (price := board.get(token)) is None or price.source != source:
                sequence = await board.wait_newer(sequence)

        await wait_for("stream")
        obey("freeze")
        await wait_for("clob")
    assert said == []


@pytest.mark.parametrize(
    ("url", "host", "header", "is_tls"),
    [
        ("https://clob.polymarket.com", "clob.polymarket.com", "clob.polymarket.com", True),
        ("ws://h:80/ws/market", "h", "h", False),
        ("http://[::1]:8990", "::1", "[::1]:8990", False),
    ],
)
def test_upstream_urls_are_read(url, host, header, is_tls):
    upstream = upstream_of(url)
    assert (upstream.host, upstream.host_header, upstream.is_tls) == (host, header, is_tls)


@pytest.mark.parametrize("url", ["clob.polymarket.com", "ftp://h", "https://", "https://a:b@h"])
def test_what_is_no_url_of_a_host_is_refused(url):
    with pytest.raises(ValueError, match="expected a URL"):
        upstream_of(url)


def test_nothing_is_broken_until_it_is_ordered():
    assert Order() == order_of("none")


def proxy_process(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "keeper.cli.main", "drill", "proxy", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_obeys_what_is_typed_and_ends_in_order():
    with proxy_process(
        "--upstream", "wss://stream.example/ws/market", "--fault", "latency 1s"
    ) as process:
        try:
            greeting = [process.stdout.readline() for _ in range(3)]
            assert re.fullmatch(
                r'in keeper.toml: \[polymarket\] stream_url = "ws://127\.0\.0\.1:\d+/ws/market"\n',
                greeting[1],
            )
            out, err = process.communicate("explode\nhelp\nstatus 503\nquit\n", timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "blackhole" in out
    assert err.splitlines() == [
        "broken now: latency 1s",
        "'explode' is no order: `help` lists them",
        "broken now: status 503",
    ]


def test_the_command_goes_on_when_stdin_ends_until_it_is_interrupted():
    with proxy_process("--upstream", "http://127.0.0.1:9") as process:
        try:
            process.stdout.readline()
            process.stdin.close()
            process.stdin = None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--upstream", "nowhere"], "expected a URL"),
        (["--upstream", "http://h", "--listen", "all"], "expected HOST:PORT"),
        (["--upstream", "http://h", "--listen", "203.0.113.1:1"], "choose another --listen"),
        (["--upstream", "http://h", "--fault", "boom"], "`help` lists them"),
        (["--upstream", "http://h", "--ca", __file__], "no certificates in PEM"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments, sentence):
    ended = CliRunner().invoke(proxy_command, arguments)
    assert ended.exit_code == 2
    assert sentence in ended.output
    assert isinstance(ended.exception, SystemExit)
