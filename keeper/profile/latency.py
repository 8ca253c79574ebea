"""How long the steps off the chain take, on this machine: average and 99th percentile of each."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.costs import (
    LIQUIDATE_CU_PER_POSITION,
    LIQUIDATE_LOADED_BYTES_PER_POSITION,
    liquidate_base_cu,
    liquidate_loaded_bytes,
)
from keeper.profile.figures import Latency, Spread
from programs import curve, event_layout, events, instructions, leverage
from programs.accounts import Position, positions_from_bytes
from programs.curve import Curve, Side
from programs.layout import POSITION_BYTES, AccountKind
from programs.pack import BatchTemplate, pack_targets
from programs.transaction import Budget, compile_message, sign
from programs.units import ComputeUnits, MicroLamports

_TARGETS: Final = 100
_POSITIONS: Final = 1_000
_WARM_UP: Final = 3
_STAKED_BYTES: Final = 88
_KEY: Final = Keypair.from_seed(bytes(32))
_PROGRAM: Final = Pubkey.from_bytes(bytes([7] * 32))
_STATE: Final = Curve(liquidity=10**12, q=12_345_678_901)


@dataclass(frozen=True, slots=True)
class _Target:
    job_id: str
    market: Pubkey
    target: Pubkey


def latencies(runs: int) -> dict[str, Latency]:
    """Time every step so many times."""
    return {name: _timed(step, runs) for name, step in _steps().items()}


def _timed(step: Callable[[], object], runs: int) -> Latency:
    for _ in range(_WARM_UP):
        step()
    spent = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        step()
        spent.append(time.perf_counter_ns() - start)
    return Latency(average=sum(spent) // len(spent), spread=Spread.of(spent))


def _steps() -> Mapping[str, Callable[[], object]]:
    addressed = [Pubkey.from_bytes(i.to_bytes(32, "big")) for i in range(_TARGETS)]
    market = addressed[0]
    template = _template(market)
    targets = [_Target(str(i), market, address) for i, address in enumerate(addressed[1:])]
    budget = Budget(
        cu_limit=ComputeUnits(200_000),
        cu_price_micro_lamports=MicroLamports(1),
        loaded_bytes=1 << 20,
    )
    batch = template.instruction(addressed[1:20])
    message = compile_message(_KEY.pubkey(), [batch], budget, Hash.default())
    position = bytes([AccountKind.POSITION, 1]) + bytes(POSITION_BYTES - 2)
    many = [position] * _POSITIONS
    event = bytes([event_layout.EVENT_VERSION, event_layout.EventKind.STAKED]) + bytes(
        _STAKED_BYTES - 2
    )
    return {
        "sign a transaction": lambda: sign(message, [_KEY]),
        "compile and sign a batch of 19": lambda: sign(
            compile_message(_KEY.pubkey(), [batch], budget, Hash.default()), [_KEY]
        ),
        "pack 99 liquidations": lambda: pack_targets(targets, {market: template}, _KEY.pubkey()),
        "decode a position": lambda: Position.from_bytes(position),
        "decode 1000 positions": lambda: positions_from_bytes(many),
        "decode an event": lambda: events.decode(event),
        "curve quote, exact cash": lambda: curve.buy_cash(_STATE, Side.YES, 1_234_567_890),
        "curve quote, exact shares": lambda: curve.sell_shares(_STATE, Side.YES, 1_234_567_890),
        "coverage and leverage": lambda: leverage.leverage_max(
            leverage.coverage_e6(10**12, 5 * 10**17), 5, 2 * 10**12
        ),
        "fee": lambda: leverage.fee_amount(10**9, leverage.fee_rate_ubp(750_000)),
        "health of a position": lambda: leverage.health_bps(
            10**9, 480_000, 4 * 10**8, leverage.required_margin(10**8, 10**9, 1_000)
        ),
        "derive an address": lambda: Pubkey.find_program_address(
            [b"maker", bytes(market), b"\0", bytes(_KEY.pubkey())], _PROGRAM
        ),
    }


def _template(market: Pubkey) -> BatchTemplate:
    header = instructions.liquidate_header(_PROGRAM, _KEY.pubkey(), _PROGRAM, market)
    return BatchTemplate(
        program=_PROGRAM,
        accounts=tuple(header),
        data=bytes([instructions.Tag.LIQUIDATE]),
        base_cu=liquidate_base_cu(1),
        cu_per_target=LIQUIDATE_CU_PER_POSITION,
        base_loaded_bytes=liquidate_loaded_bytes(1),
        loaded_bytes_per_target=LIQUIDATE_LOADED_BYTES_PER_POSITION,
    )
