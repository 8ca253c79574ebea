"""[cluster]: which cluster, and how patiently it is asked; addresses and URLs as keeper.toml has them."""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainSerializer, PlainValidator
from solders.pubkey import Pubkey

from keeper.subscription import Listening
from keeper.watch import ScanPace
from programs.endpoint_urls import check_url
from programs.rpc_settings import EndpointKeys
from programs.toml_mistakes import shown

_SILENT_SLOTS: Final = 20
_SILENT_LEAST_S: Final = 3.0
"""A subscription that tells of no slot for so long is given up."""


def _address(value: object) -> Pubkey:
    if not isinstance(value, str):
        raise ValueError("expected an address in base58")  # noqa: TRY004  # pydantic reports ValueError
    try:
        return Pubkey.from_string(value)
    except ValueError as error:
        raise ValueError(f"{shown(value)} is no address in base58") from error


def _http_url(value: str) -> str:
    return check_url(value, "http", "https")


def _ws_url(value: str) -> str:
    return check_url(value, "ws", "wss")


def _ws_url_of(rpc_url: str) -> str:
    """Return where a node that is asked at `rpc_url` takes subscriptions: by default one port further on."""
    parts = urlsplit(rpc_url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    if parts.port is None:
        return parts._replace(scheme=scheme).geturl()
    host = parts.netloc.removesuffix(f":{parts.port}")
    return parts._replace(scheme=scheme, netloc=f"{host}:{parts.port + 1}").geturl()


Address = Annotated[Pubkey, PlainValidator(_address), PlainSerializer(str)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
WsUrl = Annotated[str, AfterValidator(_ws_url)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig(EndpointKeys):
    """Which cluster, the program on it, and how its endpoints are asked."""

    rpc_urls: tuple[HttpUrl, ...]
    """Reads fail over in this order; transactions go to all of them."""
    program_id: Address
    slot_ms: int = 400
    """Nominal length of a slot; the sandbox is faster."""
    scan_interval_slots: int = 2
    """Between two full reads of the program's accounts, while their changes are not told by subscription."""
    calm_scan_interval_slots: int = 25
    """The same while every change is told; the longer of the two counts."""
    subscribe: bool = True
    """Whether to be told of changes over a websocket."""
    ws_urls: tuple[WsUrl, ...] = ()
    """Where to subscribe, in turn; none: derived from `rpc_urls`, one port further on where they name one."""

    def __post_init__(self) -> None:
        """Refuse an empty list and intervals that make no sense."""
        if not self.rpc_urls:
            raise ValueError("rpc_urls is empty, expected at least one URL")
        if not 10 <= self.slot_ms <= 10_000:  # noqa: PLR2004  # any cluster, real or local
            raise ValueError(f"slot_ms is {self.slot_ms}, expected 10 to 10000")
        if not 1 <= self.scan_interval_slots <= 150:  # noqa: PLR2004  # then a price is stale
            raise ValueError(
                f"scan_interval_slots is {self.scan_interval_slots}, expected 1 to 150"
            )
        if not 1 <= self.calm_scan_interval_slots <= 1_000:  # noqa: PLR2004  # ten minutes: closed accounts are found so late
            raise ValueError(
                f"calm_scan_interval_slots is {self.calm_scan_interval_slots}, expected 1 to 1000"
            )
        EndpointKeys.__post_init__(self)

    @property
    def scan_pace(self) -> ScanPace:
        """How often the chain is read."""
        slots = self.scan_interval_slots
        return ScanPace(
            interval_s=slots * self.slot_ms / 1_000,
            calm_interval_s=max(slots, self.calm_scan_interval_slots) * self.slot_ms / 1_000,
        )

    @property
    def listening(self) -> Listening | None:
        """Where changes are told; None: nowhere."""
        if not self.subscribe:
            return None
        return Listening(
            urls=self.ws_urls or tuple(_ws_url_of(url) for url in self.rpc_urls),
            silent_after_s=max(_SILENT_LEAST_S, _SILENT_SLOTS * self.slot_ms / 1_000),
        )
