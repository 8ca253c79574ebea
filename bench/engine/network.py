"""A local network with real bytecode and a platform full of leveraged positions, for benches of the engine.

    python -m bench.engine.network --markets 200 --positions 150 [--slot-ms 400]

Says one JSON line when it is ready. Then it answers each line that it reads with a line of JSON:

    signed N P  the liquidations of so many more markets, P in a transaction, as wire bytes
    fall N      lets the oracle fall in so many more markets: the slot, and how many positions are under water since
    told        what the chain's own events say of every liquidation since, by slot, and when those slots were

One post of a price takes every position in a market from health to debt above value: positions under water are sold whole,
outside of the program's cap for a market and slot, so that the engine is measured and not the cap.
"""

import argparse
import base64
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import spl.token.instructions as spl
import trio
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from spl.token.models import MintToParams

from keeper.deeds import deeds_of
from keeper.prices.outcomes import token_bytes
from keeper.prices.price import TokenId
from programs import addresses, instructions
from programs.accounts import Global, Market, Side
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.genesis import program_keypair
from programs.localnet.server import LocalnetConfig, serve
from programs.units import TRANSACTION_CU_MAX

USD: Final = 1_000_000
START_E6: Final = 500_000
FALLEN_E6: Final = 400_000
"""Ten times levered at 50 cents: worth 80 % of what they were, with a debt of 90 %."""
_PROGRAM: Final = program_keypair(0)
_LIQUIDITY: Final = 100_000_000 * USD
_STAKE: Final = 1_000_000_000 * USD
_MARGIN: Final = 100 * USD
_LEVERAGE: Final = 10
_CLAMP_SLOTS: Final = 5
_OPENS_PER_TRANSACTION: Final = 3
TARGETS_PER_TRANSACTION: Final = 20


def token_of(number: int) -> TokenId:
    """Return the YES token that the `number`th market mirrors."""
    return TokenId(str(1_000_000 + number))


class Platform:
    """A founded platform, acted upon in process, as its own authorities and as everybody."""

    def __init__(self, bank: Bank) -> None:
        """Take a founded chain."""
        self.bank = bank
        self.program: Final = _PROGRAM.pubkey()
        account = bank.account(addresses.global_address(self.program)[0])
        assert account is not None, "the platform is founded"
        self.quote_mint: Final = Global.from_bytes(account.data).quote_mint
        self.markets: list[Pubkey] = []

    def land(self, listed: Sequence[Instruction], *signers: Keypair) -> None:
        """Execute a transaction now, paid by the faucet."""
        bank = self.bank
        blockhash = bank.block_at("processed").blockhash
        message = MessageV0.try_compile(bank.faucet.pubkey(), list(listed), [], blockhash)
        record = bank.execute(VersionedTransaction(message, [bank.faucet, *signers]))
        assert record.error is None, (record.error, record.meta.logs()[-4:])

    def fund(self, key: Keypair, usd: int) -> Pubkey:
        """Give somebody lamports and dollars."""
        faucet = self.bank.faucet.pubkey()
        self.bank.airdrop(key.pubkey(), 10**12)
        tokens = spl.get_associated_token_address(key.pubkey(), self.quote_mint)
        mint = MintToParams(
            program_id=addresses.TOKEN_PROGRAM,
            mint=self.quote_mint,
            dest=tokens,
            mint_authority=faucet,
            amount=usd * USD,
        )
        create = spl.create_idempotent_associated_token_account(
            faucet, key.pubkey(), self.quote_mint
        )
        self.land([create, spl.mint_to(mint)])
        return tokens

    def plant(self, markets: int, positions: int) -> None:
        """Create markets with a maker each, and as many leveraged positions in each."""
        staker = _key("staker")
        tokens = self.fund(staker, _STAKE // USD)
        stake = instructions.stake(self.program, staker.pubkey(), tokens, amount=_STAKE)
        self.land([stake], staker)
        for number in range(markets):
            self._create_market(number)
        self.bank.advance_slot(_CLAMP_SLOTS)
        for number, market in enumerate(self.markets):
            self.post(market, START_E6)
            trader = _key(f"trader {number}")
            tokens = self.fund(trader, 10 * _LIQUIDITY // USD)
            self._add_liquidity(trader, tokens, market)
            opened = [
                self._open(trader, tokens, market, position + 1) for position in range(positions)
            ]
            for at in range(0, positions, _OPENS_PER_TRANSACTION):
                self.land(opened[at : at + _OPENS_PER_TRANSACTION], trader)
            if number % 10 == 0:
                self.bank.advance_slot()

    def post(self, market: Pubkey, price_e6: int) -> None:
        """Post a price of now."""
        self.land(
            [
                instructions.update_prices(
                    self.program,
                    self.bank.faucet.pubkey(),
                    market,
                    price_class=0,
                    publish_slot=self.bank.slot,
                    readings=[(price_e6, 0)],
                )
            ]
        )

    def fall(self, markets: Sequence[Pubkey]) -> None:
        """Let the oracle arrive at the lower price: at once, if its last post is five slots old, or as fast as it may."""
        for market in markets:
            self.post(market, FALLEN_E6)
        while any(self.price_e6(market) != FALLEN_E6 for market in markets):
            self.bank.advance_slot(_CLAMP_SLOTS)
            for market in markets:
                self.post(market, FALLEN_E6)

    def liquidations(
        self, markets: Sequence[Pubkey], positions: int, each: int = TARGETS_PER_TRANSACTION
    ) -> list[VersionedTransaction]:
        """Let markets fall, and sign all that liquidates them, so many in each, by our faucet; markets in turn."""
        self.fall(markets)
        bank, faucet = self.bank, self.bank.faucet
        tokens = spl.get_associated_token_address(faucet.pubkey(), self.quote_mint)
        blockhash = bank.block_at("processed").blockhash
        signed = []
        for start in range(1, positions + 1, each):
            for market in markets:
                trader = _key(f"trader {self.markets.index(market)}").pubkey()
                numbers = range(start, min(start + each, positions + 1))
                targets = [
                    addresses.position_address(self.program, market, trader, number)[0]
                    for number in numbers
                ]
                listed = [
                    set_compute_unit_limit(TRANSACTION_CU_MAX),
                    instructions.liquidate(self.program, faucet.pubkey(), tokens, market, targets),
                ]
                message = MessageV0.try_compile(faucet.pubkey(), listed, [], blockhash)
                signed.append(VersionedTransaction(message, [faucet]))
        return signed

    def price_e6(self, market: Pubkey) -> int:
        """Read the oracle's price."""
        account = self.bank.account(market)
        assert account is not None, "markets stay"
        return Market.from_bytes(account.data).pools[0].price_e6

    def _create_market(self, number: int) -> None:
        condition = hashlib.sha256(f"engine {number}".encode()).digest()
        self.land(
            [
                instructions.create_market(
                    self.program,
                    self.bank.faucet.pubkey(),
                    self.quote_mint,
                    condition_id=condition,
                    outcomes=2,
                    yes_token_or_hash=token_bytes(token_of(number)),
                    no_token=bytes(32),
                    prices_e6=[START_E6],
                )
            ]
        )
        self.markets.append(addresses.market_address(self.program, condition)[0])

    def _add_liquidity(self, maker: Keypair, tokens: Pubkey, market: Pubkey) -> None:
        added = instructions.add_liquidity(
            self.program,
            maker.pubkey(),
            tokens,
            market,
            pool=0,
            liquidity=_LIQUIDITY,
            cash_max=2**63,
            position_id=0,
        )
        self.land([added], maker)

    def _open(self, trader: Keypair, tokens: Pubkey, market: Pubkey, number: int) -> Instruction:
        return instructions.open_position(
            self.program,
            trader.pubkey(),
            tokens,
            market,
            pool=0,
            side=Side.YES,
            position_id=number,
            margin=_MARGIN + number,
            leverage=_LEVERAGE,
            worst_price_e6=1_000_000,
            counts_trade=True,
        )


def _key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"engine {name}".encode()).digest())


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What the chain says of liquidations."""

    slot: int
    positions: int
    cu_used: int
    instructions: int
    tables: int
    """Lookup tables it names."""
    failed: bool


@dataclass(slots=True)
class Chronicle:
    """When each slot began, seconds of the machine's monotonic clock."""

    bank: Bank
    begun_s: dict[int, float] = field(default_factory=dict)

    async def keep(self) -> None:
        """Look every few milliseconds."""
        while True:
            self.begun_s.setdefault(self.bank.slot, time.monotonic())
            await trio.sleep(0.004)

    def told(self, program: Pubkey, since: int) -> list[Evidence]:
        """Read every liquidation since a slot from its events."""
        found = []
        for slot in range(since, self.bank.slot + 1):
            for record in self.bank.ledger.in_slot(slot):
                message = record.transaction.message
                if program not in message.account_keys:
                    continue
                deeds = deeds_of(program, record.meta.logs())
                if deeds.positions or record.error is not None:
                    lookups = getattr(message, "address_table_lookups", ())
                    found.append(
                        Evidence(
                            slot=slot,
                            # What a failed transaction logged was undone.
                            positions=0 if record.error is not None else deeds.positions,
                            cu_used=record.meta.compute_units_consumed(),
                            instructions=len(message.instructions),
                            tables=len(lookups),
                            failed=record.error is not None,
                        )
                    )
        return found


async def _serve(options: argparse.Namespace) -> None:
    config = LocalnetConfig(
        port=0,
        bank=BankConfig(slot_ms=options.slot_ms, records_max=400_000),
        programs=(ProgramImage(program=_PROGRAM, code=PROGRAM_SO.read_bytes()),),
        is_founded=True,
    )
    async with trio.open_nursery() as nursery:
        network = await nursery.start(serve, config)
        platform = Platform(network.bank)
        platform.plant(options.markets, options.positions)
        chronicle = Chronicle(network.bank)
        nursery.start_soon(chronicle.keep)
        _say(
            url=network.url,
            ws_url=network.ws_url,
            program=str(platform.program),
            quote_mint=str(platform.quote_mint),
            keeper=bytes(network.bank.faucet).hex(),
        )
        fallen, since = 0, network.bank.slot
        async for line in trio.wrap_file(sys.stdin):
            match line.split():
                case ["fall", count]:
                    chosen = platform.markets[fallen : fallen + int(count)]
                    fallen += len(chosen)
                    platform.fall(chosen)
                    due = len(chosen) * options.positions
                    _say(slot=network.bank.slot, at_s=time.monotonic(), due=due)
                case ["signed", count, each]:
                    chosen = platform.markets[fallen : fallen + int(count)]
                    fallen += len(chosen)
                    wires = platform.liquidations(chosen, options.positions, int(each))
                    listed = [base64.b64encode(bytes(wire)).decode() for wire in wires]
                    _say(wires=listed, due=len(chosen) * options.positions)
                case ["bare", count]:
                    chosen = platform.markets[fallen : fallen + int(count)]
                    fallen += len(chosen)
                    wires = platform.liquidations(chosen, options.positions)
                    started_s = time.perf_counter()
                    for wire in wires:
                        network.bank.send(bytes(wire))
                    elapsed_s = time.perf_counter() - started_s
                    _say(elapsed_s=elapsed_s, due=len(chosen) * options.positions)
                case _:
                    found = chronicle.told(platform.program, since)
                    rows = [asdict(each) for each in found]
                    _say(liquidations=rows, begun_s=chronicle.begun_s)
        nursery.cancel_scope.cancel(reason="the bench is over")


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=int, default=200)
    parser.add_argument("--positions", type=int, default=150)
    parser.add_argument("--slot-ms", type=int, default=400)
    trio.run(_serve, parser.parse_args())


if __name__ == "__main__":
    main()
