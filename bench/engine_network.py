"""A local network with real bytecode and a platform full of leveraged positions, for benches of the engine.

    python -m bench.engine_network --markets 200 --positions 150 [--slot-ms 400]

Says one JSON line when it is ready. Then each line it reads lets the oracle fall in so many more markets, and it answers with
one JSON line: the slot, and how many positions are under water since.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

import spl.token.instructions as spl
import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from spl.token.models import MintToParams

from keeper.prices.outcomes import token_bytes
from keeper.prices.price import TokenId
from programs import addresses, instructions
from programs.accounts import Global, Market, Side
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.genesis import program_keypair
from programs.localnet.server import LocalnetConfig, serve

USD: Final = 1_000_000
START_E6: Final = 500_000
FALLEN_E6: Final = 300_000
_PROGRAM: Final = program_keypair(0)
_LIQUIDITY: Final = 10_000_000 * USD
_STAKE: Final = 1_000_000_000 * USD
_MARGIN: Final = 100 * USD
_LEVERAGE: Final = 10
_CLAMP_SLOTS: Final = 5
_OPENS_PER_TRANSACTION: Final = 3


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
        """Let the oracle arrive at the lower price, as fast as the clamp lets it."""
        while any(self.price_e6(market) != FALLEN_E6 for market in markets):
            self.bank.advance_slot(_CLAMP_SLOTS)
            for market in markets:
                self.post(market, FALLEN_E6)

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


async def _serve(options: argparse.Namespace) -> None:
    config = LocalnetConfig(
        port=0,
        bank=BankConfig(slot_ms=options.slot_ms),
        programs=(ProgramImage(program=_PROGRAM, code=PROGRAM_SO.read_bytes()),),
        is_founded=True,
    )
    async with trio.open_nursery() as nursery:
        network = await nursery.start(serve, config)
        platform = Platform(network.bank)
        platform.plant(options.markets, options.positions)
        faucet = bytes(network.bank.faucet)
        _say(
            url=network.url,
            ws_url=network.ws_url,
            program=str(platform.program),
            quote_mint=str(platform.quote_mint),
            keeper=faucet.hex(),
        )
        fallen = 0
        stdin = trio.wrap_file(sys.stdin)
        async for line in stdin:
            chosen = platform.markets[fallen : fallen + int(line)]
            fallen += len(chosen)
            platform.fall(chosen)
            _say(slot=network.bank.slot, due=len(chosen) * options.positions)
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
