"""`keeper drill proxy`: break the way to real hosts, before a keeper that runs."""

import os
import re
import signal
import socket
import ssl
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import trio

from keeper.cli.duration import Duration
from keeper.cli.refusal import Refusal
from keeper.drills.orders import HELP, Order, OrderError, Timed, order_of, schedule_of
from keeper.drills.proxy import HOST, Proxy
from keeper.drills.relay import Relay, upstream_of
from programs.terminal import echo

_STDIN: Final = 0
_PORT_MAX: Final = 65_535
_LINE_BYTES_MAX: Final = 4_096
_EXAMPLES: Final = """\b
Examples:
  keeper drill proxy --upstream https://clob.polymarket.com
  keeper drill proxy --upstream wss://ws-subscriptions-clob.polymarket.com/ws/market --listen 127.0.0.1:9001
  keeper drill proxy --upstream https://clob.polymarket.com --fault "50% latency 2s" --fault "status 503"
  keeper drill proxy --upstream https://gamma-api.polymarket.com --schedule outage.txt --for 10m
"""


@click.command("proxy", epilog=_EXAMPLES)
@click.option("--upstream", required=True, help="URL of the real host: https, wss, http or ws.")
@click.option(
    "--listen",
    default=f"{HOST}:0",
    show_default=True,
    help="HOST:PORT to listen on; port 0 takes a free one.",
)
@click.option("--fault", "faults", multiple=True, help="Broken from the start; may be repeated.")
@click.option(
    "--schedule",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with a time and an order on each line, e.g. 30s refuse.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust the upstream host by these certificates (PEM) instead of the system's.",
)
@click.option("--for", "for_s", type=Duration(), help="End by itself after this long, e.g. 10m.")
def proxy_command(
    *,
    upstream: str,
    listen: str,
    faults: tuple[str, ...],
    schedule: Path | None,
    ca: Path | None,
    for_s: float | None,
) -> None:
    """Stand between a keeper and a real host, and break what passes on command.

    Set the URL that it prints in keeper.toml and start the keeper. Then type orders: `help` lists them. The keeper signs and
    lands for real: rehearse with a key and a cluster that may. Ctrl-C ends it.
    """
    try:
        relay = Relay(upstream=upstream_of(upstream), say=_say, tls=_trusting(ca))
        first = order_of(", ".join(faults)) if faults else Order()
        timed = schedule_of(schedule.read_text()) if schedule is not None else ()
    except (OrderError, ValueError) as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"a file cannot be read: {error}") from error
    host, port = _address_of(listen)
    proxy = Proxy(host=host, port=port, carry=relay.carry)
    try:
        trio.run(partial(_serve, proxy, relay, first, timed, upstream, for_s))
    except OSError as error:
        raise Refusal(f"cannot listen on {listen} ({error}): choose another --listen") from error


async def _serve(
    proxy: Proxy,
    relay: Relay,
    first: Order,
    timed: tuple[Timed, ...],
    upstream: str,
    for_s: float | None,
) -> None:
    await _check_free(proxy.host, proxy.port)
    async with trio.open_nursery() as nursery:
        _obey(proxy, relay, first)
        await nursery.start(proxy.serve)
        echo(_greeting(proxy, relay, upstream))
        nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)
        nursery.start_soon(_follow_schedule, proxy, relay, timed)
        nursery.start_soon(_read_orders, proxy, relay, nursery.cancel_scope)
        if for_s is not None:
            await trio.sleep(for_s)
            nursery.cancel_scope.cancel(reason="--for is over")


def _obey(proxy: Proxy, relay: Relay, order: Order) -> None:
    relay.order = order
    proxy.set(*order.wires, share_percent=order.share_percent)
    _say(f"broken now: {order.text}")


async def _follow_schedule(proxy: Proxy, relay: Relay, timed: tuple[Timed, ...]) -> None:
    started_s = trio.current_time()
    for each in timed:
        await trio.sleep_until(started_s + each.at_s)
        _obey(proxy, relay, each.order)


async def _read_orders(proxy: Proxy, relay: Relay, scope: trio.CancelScope) -> None:
    """Obey each line of stdin; its end is no order, for a proxy may run without a terminal."""
    held = b""
    while chunk := await trio.to_thread.run_sync(
        os.read, _STDIN, _LINE_BYTES_MAX, abandon_on_cancel=True
    ):
        *lines, held = (held + chunk).split(b"\n")
        held = held[-_LINE_BYTES_MAX:]
        for line in lines:
            said = line.decode("utf-8", "replace").strip()
            if said == "help":
                echo(HELP)
            elif said == "quit":
                scope.cancel(reason="asked to stop")
            elif said:
                try:
                    _obey(proxy, relay, order_of(said))
                except OrderError as error:
                    _say(str(error))


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _signal in signals:
            scope.cancel(reason="asked to stop")


async def _check_free(host: str, port: int) -> None:
    """Two proxies of ours could share a port unseen, each with half of the connections.

    Raises:
        OSError: somebody has it.
    """
    with trio.socket.socket() as probe:
        # What is left of connections that ended a moment ago is nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await probe.bind((host, port))


def _greeting(proxy: Proxy, relay: Relay, upstream: str) -> str:
    parts = urlsplit(upstream)
    is_stream = parts.scheme in {"ws", "wss"}
    here = f"{'ws' if is_stream else 'http'}://{proxy.host}:{proxy.port}{parts.path}"
    if is_stream:
        key = "stream_url"
    else:
        key = "gamma_url" if "gamma" in relay.upstream.host else "clob_url"
    return (
        f"passing {here} on to {upstream}\n"
        f'in keeper.toml: [polymarket] {key} = "{here}"\n'
        "type an order, `help` or `quit`"
    )


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except ssl.SSLError as error:
        raise Refusal(f"{ca} has no certificates in PEM: {error}") from error


def _address_of(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\d+\.\d+\.\d+\.\d+):(\d{1,5})", text)
    if found is None or int(found[2]) > _PORT_MAX:
        raise Refusal(f"--listen {text!r}: expected HOST:PORT with an IPv4 address")
    return found[1], int(found[2])


def _say(text: str) -> None:
    echo("".join(each if each.isprintable() else "\ufffd" for each in text), err=True)
