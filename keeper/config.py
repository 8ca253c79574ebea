"""keeper.toml -> frozen Config, with every mistake reported at once.

Settings live beside what they configure; this module composes them. One file, no ambient environment: what `keeper check`
prints is all there is. Secrets are paths to keypair files, never values.
"""

import json
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainSerializer, PlainValidator, TypeAdapter, ValidationError
from solders.pubkey import Pubkey

from keeper.errors import ConfigError
from keeper.fees import FeePolicy
from keeper.pay import PayRules
from keeper.posting import PostingRules
from keeper.prices.feed_config import FeedConfig
from keeper.purse import Purse
from keeper.sandbox.config import SandboxConfig
from keeper.spend import Spend
from keeper.subscription import Listening
from keeper.watch import ScanPace
from programs.rpc_settings import RpcSettings
from programs.units import SIGNATURE_FEE_LAMPORTS, Lamports

_FILE_BYTES_MAX: Final = 1 << 20
_DEADLINE_TRIES: Final = 3
_BLOCKHASH_INTERVAL_SLOTS_MAX: Final = 25
_ENDPOINT_RANGES: Final = {
    # Nodes behind one URL differ by a few slots; beyond 150 a price is stale.
    "max_lag_slots": (2, 150),
    "breaker_failures": (1, 100),
    "breaker_probe_ms": (100, 60_000),
    "breaker_probe_max_ms": (100, 600_000),
    "retry_after_max_ms": (0, 3_600_000),
    "check_interval_ms": (500, 600_000),
}
_SILENT_SLOTS: Final = 20
_SILENT_LEAST_S: Final = 3.0
"""A subscription that tells of no slot for so long is given up."""
_CONCURRENCY_MAX: Final = 1_000
"""Sockets, not a design limit."""


def _address(value: object) -> Pubkey:
    if not isinstance(value, str):
        raise ValueError("expected an address in base58")  # noqa: TRY004  # pydantic reports ValueError
    try:
        return Pubkey.from_string(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no address in base58") from error


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an http:// or https:// URL")
    return value


def _ws_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ValueError("expected a ws:// or wss:// URL")
    return value


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
class ClusterConfig:
    """Which cluster, and the program on it."""

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
    rpc_timeout_ms: int = 5_000
    """For one call to one endpoint; a read is tried again, at the next endpoint, for three times as long in all."""
    max_lag_slots: int = 25
    """How far behind the newest slot heard from any endpoint an answer may be; an older one is refused."""
    breaker_failures: int = 3
    """Failed calls in a row after which an endpoint is only probed."""
    breaker_probe_ms: int = 1_000
    """The first wait before such a probe; each that fails doubles it."""
    breaker_probe_max_ms: int = 30_000
    """The longest wait before a probe: an endpoint's return is noticed that late at most."""
    retry_after_max_ms: int = 120_000
    """How long an endpoint may ask to be left alone; beyond it the wish is cut."""
    check_interval_ms: int = 5_000
    """Between two rounds in which every endpoint is asked for its cluster, the program and its newest finalized block."""

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
        if not 50 <= self.rpc_timeout_ms <= 60_000:  # noqa: PLR2004  # from loopback to a satellite
            raise ValueError(f"rpc_timeout_ms is {self.rpc_timeout_ms}, expected 50 to 60000")
        for name, (least, most) in _ENDPOINT_RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} to {most}")
        if self.breaker_probe_max_ms < self.breaker_probe_ms:
            raise ValueError(
                f"breaker_probe_max_ms is {self.breaker_probe_max_ms}, expected at least breaker_probe_ms "
                f"({self.breaker_probe_ms})"
            )

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

    @property
    def rpc_settings(self) -> RpcSettings:
        """How patiently the cluster is asked."""
        timeout_s = self.rpc_timeout_ms / 1_000
        return RpcSettings(
            try_timeout_s=timeout_s,
            read_deadline_s=_DEADLINE_TRIES * timeout_s,
            max_lag_slots=self.max_lag_slots,
            breaker_failures=self.breaker_failures,
            breaker_probe_s=self.breaker_probe_ms / 1_000,
            breaker_probe_max_s=self.breaker_probe_max_ms / 1_000,
            retry_after_max_s=self.retry_after_max_ms / 1_000,
            check_interval_s=self.check_interval_ms / 1_000,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysConfig:
    """Keypair files, mode 0600."""

    keeper: Path
    """The program's oracle authority; pays for every lane that has no key of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisConfig:
    """What `keeper genesis` fixes for ever, unless its options say otherwise; nothing else reads it."""

    quote_mint: Address | None = None
    market_authority: Address | None = None
    oracle_authority: Address | None = None
    """Without it the keeper's own key."""
    incentives_authority: Address | None = None
    fee_treasury_owner: Address | None = None
    halt_authority: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateConfig:
    """Where the keeper remembers."""

    folder: Path
    """One database per cluster, named after its genesis hash: never two clusters in one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneConfig:
    """How one kind of work is sent."""

    key: Path | None = None
    """Keypair file of who pays for it; without one `keys.keeper` pays."""
    concurrency: int = 4
    """Transactions in flight at once."""
    hourly_spend_max_lamports: int = 100_000_000
    """Fees and rent of any hour, failed transactions included."""
    daily_spend_max_lamports: int = 1_000_000_000
    """The same of any day: ten hours at the hourly cap."""
    hourly_loss_max_lamports: int | None = None
    """What critical work may be expected to lose in any hour; None: as much as may be spent. Posts, payouts and tables earn
    nothing: all they pay is loss."""
    fees: FeePolicy = field(default_factory=lambda: FeePolicy(loss_max_lamports=Lamports(100_000)))
    """What is bid. Posts earn nothing and liquidations little: what each may lose is `loss_max_lamports`."""

    def __post_init__(self) -> None:
        """Refuse a lane that could never send."""
        if not 1 <= self.concurrency <= _CONCURRENCY_MAX:
            raise ValueError(f"concurrency is {self.concurrency}, expected 1 to {_CONCURRENCY_MAX}")
        if self.hourly_spend_max_lamports < SIGNATURE_FEE_LAMPORTS:
            raise ValueError(
                f"hourly_spend_max_lamports is {self.hourly_spend_max_lamports}, expected at least one "
                f"signature's fee, {SIGNATURE_FEE_LAMPORTS}"
            )
        if self.daily_spend_max_lamports < self.hourly_spend_max_lamports:
            raise ValueError(
                f"daily_spend_max_lamports is {self.daily_spend_max_lamports}, expected at least "
                f"hourly_spend_max_lamports, {self.hourly_spend_max_lamports}"
            )
        if self.hourly_loss_max_lamports is not None and self.hourly_loss_max_lamports < 0:
            raise ValueError(
                f"hourly_loss_max_lamports is {self.hourly_loss_max_lamports}, expected 0 or more"
            )

    def purse(self) -> Purse:
        """Open what the lane pays with."""
        loss = self.hourly_loss_max_lamports
        return Purse(
            policy=self.fees,
            spend=Spend(
                Lamports(self.hourly_spend_max_lamports), Lamports(self.daily_spend_max_lamports)
            ),
            losses=Spend(Lamports(self.hourly_spend_max_lamports if loss is None else loss)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LanesConfig:
    """The lanes: a flood in one never starves another."""

    prices: LaneConfig = field(default_factory=lambda: LaneConfig(concurrency=16))
    liquidations: LaneConfig = field(default_factory=LaneConfig)
    chains: LaneConfig = field(default_factory=LaneConfig)
    payouts: LaneConfig = field(default_factory=LaneConfig)
    tables: LaneConfig = field(default_factory=LaneConfig)
    """Address lookup tables."""
    tables_rent_max_lamports: int = 500_000_000
    """What all lookup tables together may lock; it returns when they are closed. 0: none are made."""
    balance_low_lamports: int = 50_000_000
    """Operators are warned when a payer has less."""
    lamports_per_quote_unit: int = 5_000_000
    """What one unit of the quote token is worth in lamports: compares bounties with fees. $200 a SOL makes 5_000_000."""

    def __post_init__(self) -> None:
        """Refuse a rate that makes every bounty worthless."""
        if self.lamports_per_quote_unit < 1:
            raise ValueError(
                f"lamports_per_quote_unit is {self.lamports_per_quote_unit}, expected 1 or more"
            )
        if self.balance_low_lamports < 0:
            raise ValueError(
                f"balance_low_lamports is {self.balance_low_lamports}, expected 0 or more"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutsConfig:
    """How rewards are paid; what it may cost stands in `lanes.payouts`."""

    folder: Path | None = None
    """Where manifests of reward roots are put; without it `payouts` beside the database."""
    creates_token_accounts: bool = False
    """Whether to open a token account for a wallet that has none, 0.00203928 SOL each; else it is skipped until it has one."""
    interval_slots: int = 25
    """Between two looks at the folder and at the chain while nothing is paid."""

    def __post_init__(self) -> None:
        """Refuse an interval that would spin."""
        if self.interval_slots < 1:
            raise ValueError(f"interval_slots is {self.interval_slots}, expected 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingConfig:
    """How eagerly transactions are sent and confirmed."""

    poll_interval_slots: float = 0.25
    """Between two readings of all statuses: a part of a slot, for this is waited for after a transaction is confirmed."""
    resend_interval_slots: int = 4
    """Between two sends of the same bytes while no node has seen them."""
    blockhash_interval_slots: int = 2
    """Between two readings of a blockhash, which also tells the keeper the slot."""
    drain_s: int = 20
    """On interrupt, how long work in flight may take to be confirmed; what remains is settled at the next start."""

    def __post_init__(self) -> None:
        """Refuse intervals that would spin."""
        for name in self.__slots__:
            if name == "poll_interval_slots":
                if self.poll_interval_slots <= 0:
                    raise ValueError(
                        f"poll_interval_slots is {self.poll_interval_slots}, expected more than 0"
                    )
            elif getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.blockhash_interval_slots > _BLOCKHASH_INTERVAL_SLOTS_MAX:
            raise ValueError(
                f"blockhash_interval_slots is {self.blockhash_interval_slots}, expected at most "
                f"{_BLOCKHASH_INTERVAL_SLOTS_MAX}: the ages of prices are counted by it"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is told."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level of a log line; a live view shows warnings whatever is set here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an operator can set."""

    cluster: ClusterConfig
    keys: KeysConfig
    state: StateConfig
    polymarket: FeedConfig = field(default_factory=FeedConfig)
    posting: PostingRules = field(default_factory=PostingRules)
    lanes: LanesConfig = field(default_factory=LanesConfig)
    payouts: PayoutsConfig = field(default_factory=PayoutsConfig)
    landing: LandingConfig = field(default_factory=LandingConfig)
    log: LogConfig = field(default_factory=LogConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    genesis: GenesisConfig = field(default_factory=GenesisConfig)

    def __post_init__(self) -> None:
        """Refuse a keeper that counts other slots than the sandbox it runs."""
        if self.sandbox.enabled and self.sandbox.slot_ms != self.cluster.slot_ms:
            raise ValueError(
                f"cluster.slot_ms is {self.cluster.slot_ms} and sandbox.slot_ms {self.sandbox.slot_ms}: "
                "expected the same while sandbox.enabled is true"
            )


_ADAPTER: Final = TypeAdapter(Config)


def load_config(path: Path) -> Config:
    """Read keeper.toml; relative paths in it are relative to the file.

    Raises:
        ConfigError: unreadable, no TOML, or with the list of every mistake and its dotted key.
    """
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise ConfigError(f"{path} is larger than {_FILE_BYTES_MAX} bytes: not a configuration")
        text = path.read_text()
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist: name the file with --config, or run from the folder that has keeper.toml"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    return parse_config(raw, path)


def parse_config(raw: dict[str, Any], path: Path) -> Config:
    """Validate a decoded keeper.toml.

    Raises:
        ConfigError: with every mistake.
    """
    mistakes: list[str] = []
    polymarket = raw.setdefault("polymarket", {})
    cluster = raw.get("cluster")
    if isinstance(polymarket, dict) and isinstance(cluster, dict):
        # Ages are counted in the cluster's slots: one key for both.
        if "slot_ms" in polymarket:
            mistakes.append("polymarket.slot_ms: unknown key; set cluster.slot_ms")
        slot_ms = cluster.get("slot_ms")
        if type(slot_ms) is int:  # anything else is reported under its own key
            raw = raw | {"polymarket": polymarket | {"slot_ms": slot_ms}}
    try:
        text = json.dumps(raw)
    except TypeError as error:  # TOML has dates and times, no setting is one
        raise ConfigError(f"{path}: a date or time where none is expected ({error})") from error
    try:
        config = _ADAPTER.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        mistakes += [_mistake(dict(detail)) for detail in error.errors(include_url=False)]
    else:
        if not mistakes:
            return _anchored(config, path.parent)
    listed = "\n".join(f"  {mistake}" for mistake in mistakes)
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}"
    raise ConfigError(f"{path} has {count}:\n{listed}")


def _mistake(detail: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in detail["loc"]) or "(file)"
    what = str(detail["msg"])
    if detail["type"] == "unexpected_keyword_argument":
        return f"{where}: unknown key"
    if detail["type"] in {"missing", "missing_argument"}:
        return f"{where}: missing"
    found = detail.get("input")
    shown = f", found {found!r}" if isinstance(found, str | int | float | bool) else ""
    return f"{where}: {what.removeprefix('Value error, ')}{shown}"


def _anchored(config: Config, folder: Path) -> Config:
    return replace(
        config,
        keys=KeysConfig(keeper=folder / config.keys.keeper),
        state=StateConfig(folder=folder / config.state.folder),
        lanes=_anchored_lanes(config.lanes, folder),
        payouts=replace(
            config.payouts,
            folder=None if config.payouts.folder is None else folder / config.payouts.folder,
        ),
        sandbox=replace(
            config.sandbox,
            replay=None if config.sandbox.replay is None else folder / config.sandbox.replay,
        ),
    )


def _anchored_lanes(lanes: LanesConfig, folder: Path) -> LanesConfig:
    def own(lane: LaneConfig) -> LaneConfig:
        return lane if lane.key is None else replace(lane, key=folder / lane.key)

    return replace(
        lanes,
        prices=own(lanes.prices),
        liquidations=own(lanes.liquidations),
        chains=own(lanes.chains),
        payouts=own(lanes.payouts),
        tables=own(lanes.tables),
    )


def pay_rules(config: Config) -> PayRules:
    """Return how rewards are paid."""
    payouts = config.payouts
    return PayRules(
        folder=payouts.folder or config.state.folder / "payouts",
        creates_token_accounts=payouts.creates_token_accounts,
        interval_s=payouts.interval_slots * config.cluster.slot_ms / 1_000,
    )


def effective(config: Config) -> dict[str, Any]:
    """Return the whole configuration, defaults included, as JSON types."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    return found
