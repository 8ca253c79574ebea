"""The local network as a server: endpoints over one bank, slots advancing by the clock."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import trio
from solders.pubkey import Pubkey

from programs.deploy import ProgramImage
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.connections import serve_connections
from programs.localnet.endpoint import Endpoint
from programs.localnet.faults import FaultProfile
from programs.localnet.genesis import deploy_immutable, found_platform
from programs.localnet.listen import BoundedListener, open_pair
from programs.localnet.node import Node
from programs.localnet.trouble import Door, Trouble
from programs.proof import DeploymentProof
from programs.units import Lamports

PORT: Final = 8899
"""Where Solana clients expect a local validator."""
ENDPOINTS_MAX: Final = 16
_PAIR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalnetConfig:
    """Where the network listens, what it starts with, and what goes wrong on it."""

    host: str = "127.0.0.1"
    port: int = PORT
    """Of the first endpoint; the others take the pairs after it. 0 takes free ports."""
    ws_port: int | None = None
    """Of the first endpoint. None: the port after `port`, where Solana clients look for it."""
    endpoints: int = 1
    """At least; a fault profile that describes more has as many as it describes."""
    bank: BankConfig = field(default_factory=BankConfig)
    programs: tuple[ProgramImage, ...] = ()
    """Deployed at start through the upgradeable loader, authority burned."""
    is_founded: bool = False
    """Whether the first program is the platform's, and its genesis happens at start."""
    airdrops: tuple[tuple[Pubkey, Lamports], ...] = ()
    """Paid at start."""
    faults: FaultProfile = field(default_factory=FaultProfile)
    fault_seed: int = 0
    """Decides which of the possible faults happen."""
    is_armed: bool = True
    """Whether they happen from the start; else from `Trouble.arm` on."""

    def __post_init__(self) -> None:
        """Refuse a network without endpoints, or with too many.

        Raises:
            ValueError: There are not 1 to 16.
        """
        if self.endpoints < 1 or self.endpoint_count > ENDPOINTS_MAX:
            found = min(self.endpoints, 0) or self.endpoint_count
            raise ValueError(f"endpoints is {found}, expected 1 to {ENDPOINTS_MAX}")

    @property
    def endpoint_count(self) -> int:
        """How many endpoints there are, the quiet one apart."""
        return max(self.endpoints, len(self.faults.endpoints))


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where one endpoint listens."""

    host: str
    port: int
    ws_port: int

    @property
    def url(self) -> str:
        """Where HTTP clients connect."""
        return f"http://{_url_host(self.host)}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Where websocket clients connect; `url` with ws:// works as well."""
        return f"ws://{_url_host(self.host)}:{self.ws_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Localnet:
    """A running network."""

    bank: Bank
    trouble: Trouble
    """What goes wrong on it; a test may ask for more."""
    nodes: tuple[Node, ...]
    """One behind each address."""
    addresses: tuple[Address, ...]
    quiet: Address
    """One more endpoint, on free ports, whose sendings, replies and streams nothing goes wrong with."""
    deployments: tuple[DeploymentProof, ...]

    @property
    def host(self) -> str:
        """Where the first endpoint listens."""
        return self.addresses[0].host

    @property
    def port(self) -> int:
        """The first endpoint's HTTP port."""
        return self.addresses[0].port

    @property
    def ws_port(self) -> int:
        """The first endpoint's second port."""
        return self.addresses[0].ws_port

    @property
    def url(self) -> str:
        """Where HTTP clients of the first endpoint connect."""
        return self.addresses[0].url

    @property
    def ws_url(self) -> str:
        """Where websocket clients of the first endpoint connect; `url` with ws:// works as well."""
        return self.addresses[0].ws_url


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
    async with AsyncExitStack() as stack:
        pairs = [
            [await stack.enter_async_context(listener) for listener in await _listen(config, each)]
            for each in (*range(config.endpoint_count), None)
        ]
        bank, deployments = await _genesis(config)
        trouble = Trouble(
            bank, config.faults, seed=config.fault_seed, endpoints=config.endpoint_count
        )
        endpoints = [
            Endpoint(_node(bank, door, trouble), door, trouble)
            for door in (*trouble.doors, trouble.quiet_door)
        ]
        addresses = [
            Address(host=config.host, port=first.port, ws_port=second.port)
            for first, second in pairs
        ]
        if config.is_armed:
            trouble.arm()
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(_produce_slots, trouble, endpoints)
        for endpoint, pair in zip(endpoints, pairs, strict=True):
            await nursery.start(serve_connections, endpoint.app(), pair)
        task_status.started(
            Localnet(
                bank=bank,
                trouble=trouble,
                nodes=tuple(endpoint.node for endpoint in endpoints[:-1]),
                addresses=tuple(addresses[:-1]),
                quiet=addresses[-1],
                deployments=deployments,
            )
        )


async def _listen(config: LocalnetConfig, number: int | None) -> list[BoundedListener]:
    """Open the ports of the `number`th endpoint, or of the quiet one."""
    if number is None or config.port == 0:
        return await open_pair(config.host, 0, config.ws_port if number == 0 else None)
    ws_port = config.ws_port if number == 0 else None
    return await open_pair(config.host, config.port + _PAIR * number, ws_port)


def _node(bank: Bank, door: Door, trouble: Trouble) -> Node:
    return Node(bank, lag_blocks=door.faults.lag_blocks, deliver=partial(trouble.deliver, door))


async def _genesis(config: LocalnetConfig) -> tuple[Bank, tuple[DeploymentProof, ...]]:
    """A chain with everything on it that the network starts with, final from the first request on."""
    bank = Bank(
        replace(
            config.bank,
            blockhash_blocks=min(config.bank.blockhash_blocks, config.faults.blockhash_blocks),
            past_blocks=max(config.bank.past_blocks, config.faults.lag_blocks_max),
        )
    )
    deployments: list[DeploymentProof] = []
    for image in config.programs:
        deployments.append(deploy_immutable(bank, image))
        await trio.lowlevel.checkpoint()
    if config.is_founded:
        found_platform(bank, config.programs[0].program)
    for address, lamports in config.airdrops:
        bank.airdrop(address, lamports)
    # Final for the node furthest behind, too.
    bank.advance_slot(bank.config.finality_slots + bank.config.past_blocks)
    return bank, tuple(deployments)


async def _produce_slots(trouble: Trouble, endpoints: Sequence[Endpoint]) -> None:
    """Close a slot every `slot_ms`, counted from the start: a late one does not delay those after it."""
    started_s = trio.current_time()
    slot_s = trouble.bank.config.slot_ms / 1_000

    def tell() -> None:
        for endpoint in endpoints:
            endpoint.audience.tell()

    produced = 0
    while True:
        produced += 1
        await trio.sleep_until(started_s + produced * slot_s)
        trouble.end_slot(tell)


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
