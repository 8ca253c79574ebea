"""The venue's market websocket."""

import json
from collections.abc import Sequence

import trio
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from keeper.sandbox.venue.clob_routes import RECORDED_BODY_HEADER
from keeper.sandbox.venue.subscribers import Subscriber, send_or_close
from keeper.sandbox.venue.venue import Endpoint, Venue

_ASSETS_MAX = 200
_POLICY_VIOLATION = 1008
_SERVICE_RESTART = 1012


def stream_route(venue: Venue) -> WebSocketRoute:
    """Return the route of the market channel."""

    async def market(socket: WebSocket) -> None:
        if not venue.is_up(Endpoint.STREAM):
            await socket.close()  # Before accept: the handshake is answered with 403.
            return
        name = venue.content.capture_name
        headers = [] if name is None else [(RECORDED_BODY_HEADER.encode(), name.encode())]
        await socket.accept(headers=headers)
        subscriber, outbox = venue.subscribers.join()
        try:
            with subscriber.scope, outbox:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_send_frames, socket, outbox)
                    await _serve_requests(venue, socket, subscriber, nursery)
                    nursery.cancel_scope.cancel(reason="the subscriber left")
            if subscriber.scope.cancelled_caught:
                await socket.close(_SERVICE_RESTART)
        finally:
            venue.subscribers.leave(subscriber)
            subscriber.outbox.close()

    return WebSocketRoute("/ws/market", market)


async def _send_frames(socket: WebSocket, outbox: trio.MemoryReceiveChannel[str]) -> None:
    async for text in outbox:
        try:
            await socket.send_text(text)
        except WebSocketDisconnect:
            return


async def _serve_requests(
    venue: Venue, socket: WebSocket, subscriber: Subscriber, nursery: trio.Nursery
) -> None:
    """Answer PING and follow subscriptions until the client leaves or says nonsense."""
    while True:
        try:
            text = await socket.receive_text()
        except WebSocketDisconnect:
            return
        if text == "PING":
            send_or_close(subscriber, "PONG")
            continue
        asked = _asked_of(text)
        if asked is None:
            await socket.close(_POLICY_VIOLATION, "wanted PING or a subscription")
            return
        operation, token_ids = asked
        if operation == "unsubscribe":
            subscriber.token_ids.difference_update(token_ids)
            continue
        if len(subscriber.token_ids.union(token_ids)) > _ASSETS_MAX:
            await socket.close(_POLICY_VIOLATION, f"wanted at most {_ASSETS_MAX} assets")
            return
        texts = [
            json.dumps(frame.body, separators=(",", ":"))
            for frame in venue.content.opening_frames(token_ids)
        ]
        if venue.is_replay:
            nursery.start_soon(_replay, subscriber, texts, venue.config.tick_ms / 1_000)
        else:
            # Snapshots first, in this same step: no delta may reach the queue before them.
            for opening in texts:
                send_or_close(subscriber, opening)
        subscriber.token_ids.update(token_ids)


async def _replay(subscriber: Subscriber, texts: Sequence[str], pause_s: float) -> None:
    """Send recorded frames in their order."""
    for text in texts:
        send_or_close(subscriber, text)
        await trio.sleep(pause_s)


def _asked_of(text: str) -> tuple[str, list[str]] | None:
    """Return the operation and its assets; None for what is no subscription."""
    try:
        asked = json.loads(text)
    except ValueError:
        return None
    if not isinstance(asked, dict) or not isinstance(asked.get("assets_ids"), list):
        return None
    return str(asked.get("operation", "subscribe")), [str(one) for one in asked["assets_ids"]]
