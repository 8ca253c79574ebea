"""The local network as a server: HTTP and websocket over one bank, slots advancing by the clock."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio
from solders.pubkey import Pubkey
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from programs.deploy import ProgramImage
from programs.localnet import jsonrpc
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.connections import MESSAGE_BYTES_MAX, serve_connections
from programs.localnet.genesis import deploy_immutable, found_platform
from programs.localnet.listen import open_pair
from programs.localnet.methods import METHODS
from programs.localnet.node import Node
from programs.localnet.params import Params
from programs.localnet.rpc_errors import RpcError
from programs.localnet.websocket import Audience
from programs.proof import DeploymentProof
from programs.units import Lamports

PORT: Final = 8899
"""Where Solana clients expect a local validator."""
REQUEST_BYTES_MAX: Final = MESSAGE_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalnetConfig:
    """Where the network listens and what it starts with."""

    host: str = "127.0.0.1"
    port: int = PORT
    """0 takes a free port."""
    ws_port: int | None = None
    """None: the port after `port`, where Solana clients look for it."""
    bank: BankConfig = field(default_factory=BankConfig)
    programs: tuple[ProgramImage, ...] = ()
    """Deployed at start through the upgradeable loader, authority burned."""
    is_founded: bool = False
    """Whether the first program is the platform's, and its genesis happens at start."""
    airdrops: tuple[tuple[Pubkey, Lamports], ...] = ()
    """Paid at start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Localnet:
    """A running network."""

    bank: Bank
    host: str
    port: int
    ws_port: int
    deployments: tuple[DeploymentProof, ...]

    @property
    def url(self) -> str:
        """Where HTTP clients connect."""
        return f"http://{_url_host(self.host)}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Where websocket clients connect; `url` with ws:// works as well."""
        return f"ws://{_url_host(self.host)}:{self.ws_port}"


async def serve(
    config: LocalnetConfig,
    *,
    task_status: trio.TaskStatus[Localnet] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a local network until cancelled; reports a `Localnet` once it answers.

    Replies already being written are finished on cancellation; no transaction is ever half executed.

    Raises:
        ListenError: The ports cannot be had.
        DeploymentFailed: A program cannot be deployed, or genesis was refused.
    """
    first, second = await open_pair(config.host, config.port, config.ws_port)
    async with first, second, trio.open_nursery() as nursery:
        bank, deployments = await _genesis(config)
        node = Node(bank)
        audience = Audience(node)
        localnet = Localnet(
            bank=bank,
            host=config.host,
            port=first.port,
            ws_port=second.port,
            deployments=deployments,
        )
        nursery.start_soon(_produce_slots, bank, audience)
        await nursery.start(serve_connections, _app(node, audience), (first, second))
        task_status.started(localnet)


async def _genesis(config: LocalnetConfig) -> tuple[Bank, tuple[DeploymentProof, ...]]:
    """A chain with everything on it that the network starts with, final from the first request on."""
    bank = Bank(config.bank)
    deployments: list[DeploymentProof] = []
    for image in config.programs:
        deployments.append(deploy_immutable(bank, image))
        await trio.lowlevel.checkpoint()
    if config.is_founded:
        found_platform(bank, config.programs[0].program)
    for address, lamports in config.airdrops:
        bank.airdrop(address, lamports)
    bank.advance_slot(config.bank.finality_slots)
    return bank, tuple(deployments)


async def _produce_slots(bank: Bank, audience: Audience) -> None:
    """Close a slot every `slot_ms`, counted from the start: a late one does not delay those after it."""
    started_s = trio.current_time()
    slot_s = bank.config.slot_ms / 1_000
    produced = 0
    while True:
        produced += 1
        await trio.sleep_until(started_s + produced * slot_s)
        audience.tell()
        bank.advance_slot()


def _app(node: Node, audience: Audience) -> Starlette:
    return Starlette(
        routes=[
            Route("/", partial(_answer_http, node), methods=["POST"]),
            Route("/health", _answer_health, methods=["GET"]),
            WebSocketRoute("/", audience.attend),
        ]
    )


async def _answer_health(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def _answer_http(node: Node, request: Request) -> Response:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return PlainTextResponse(
            "Supplied content type is not allowed. Content-Type: application/json is required\n",
            status_code=415,
        )
    body = await _bounded_body(request)
    if body is None:
        return PlainTextResponse(
            f"The request is longer than {REQUEST_BYTES_MAX} bytes.\n", status_code=413
        )
    try:
        parsed = jsonrpc.parse_body(body)
        requests = jsonrpc.requests(parsed)
    except RpcError as error:
        return _json(jsonrpc.encode(jsonrpc.failure(error)))
    if not isinstance(parsed, list):
        reply = jsonrpc.reply(parsed, partial(_answer, node))
        return _json(b"" if reply is None else jsonrpc.encode(reply))
    return StreamingResponse(_batch(node, requests), media_type="application/json")


async def _batch(node: Node, requests: Sequence[object]) -> AsyncIterator[bytes]:
    """Answer a batch in pieces, letting slots and other clients through between them."""
    separator = b"["
    for request in requests:
        reply = jsonrpc.reply(request, partial(_answer, node))
        if reply is not None:
            yield separator + jsonrpc.encode(reply)
            separator = b","
        await trio.lowlevel.checkpoint()
    if separator == b",":
        yield b"]"


def _answer(node: Node, method: str, params: Params) -> object:
    answer = METHODS.get(method)
    if answer is None:
        raise jsonrpc.method_not_found()
    return answer(node, params)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


async def _bounded_body(request: Request) -> bytes | None:
    """The whole body, or None as soon as it is too long."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with aclosing(request.stream()) as stream:
            async for piece in stream:
                size += len(piece)
                if size > REQUEST_BYTES_MAX:
                    return None
                pieces.append(piece)
    except ClientDisconnect:
        return b""
    return b"".join(pieces)


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
