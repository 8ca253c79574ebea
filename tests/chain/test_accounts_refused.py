"""Every account of every instruction, replaced by every wrong one: the refusal is the one in the table.

`runtime` in a cell: the program's calls of the system or token program fail, so the runtime ends the transaction.
`lands`: harmless, for the reason given beside it.
"""

from dataclasses import dataclass, field

import pytest
from chain_terms import BORROW, STAKE
from harness import USD, Platform, User, keypair
from reward_desk import RewardDesk
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata
from solders.transaction_status import InstructionErrorCustom, TransactionErrorInstructionError

from programs import addresses, errors, instructions
from programs.accounts import Side
from programs.layout import MARKET_DTYPE, POOL_DTYPE
from programs.merkle import Reward, RewardTree, build_tree
from programs.units import BaseUnits

CHAIN = 7
"""Chain id of every user in every market."""
LENT, SPOT = 1, 2
"""Position ids of every user in every market; the surplus of their liquidity is position 0."""
FOREIGN_PROGRAM = keypair("another program").pubkey()
MUTATIONS = ("stranger", "foreign", "kind", "twin", "readonly", "unsigned")
"""Nobody's address; the same bytes under another program; another kind of ours; another of the same kind; flags off."""


@dataclass
class World:
    """Two markets, two users with everything, one position to liquidate; nothing here ever lands."""

    platform: Platform = field(default_factory=Platform)

    def __post_init__(self) -> None:
        platform = self.platform
        platform.initialize()
        self.maker = platform.user(10_000_000)
        self.market, self.other = (platform.create_market(name) for name in ("one", "two"))
        platform.stake(self.maker, 1_000_000 * USD)
        self.user, self.stranger = platform.user(), platform.user()
        for market in (self.market, self.other):
            platform.post(market, 500_000)
            platform.add_liquidity(self.maker, market, 1_000_000 * USD)
        for user in (self.user, self.stranger):
            platform.stake(user, USD)
            for market in (self.market, self.other):
                platform.add_liquidity(user, market, 10**9)
                platform.open(user, market, 100 * USD, leverage=10)
                platform.open(user, market, 100 * USD)
                platform.open_chain(user, market, 100 * USD, BORROW, chain_id=CHAIN)
        self.let_leave()
        platform.move_oracle(self.market, 460_000)
        self.resolved = {
            market: self.resolve(name)
            for market, name in ((self.market, "three"), (self.other, "four"))
        }
        self.desk = RewardDesk(platform)
        self.trees = {user.address: self.post_root(user) for user in (self.user, self.stranger)}
        self.keys = {
            key.pubkey(): key
            for key in (
                platform.admin,
                platform.program_key,
                self.user.key,
                self.stranger.key,
            )
        }
        self.payer = keypair("payer").pubkey()
        for key in (keypair("payer"), keypair("thief")):
            self.keys[key.pubkey()] = key
            platform.svm.airdrop(key.pubkey(), 10**10)

    def let_leave(self) -> None:
        """Locks pass, requests wait, and the vault holds shares of both markets, however it came by them."""
        platform = self.platform
        for user in (self.user, self.stranger):
            platform.request_unstake(user)
        platform.warp(150)
        platform.is_audited = False
        at = MARKET_DTYPE.itemsize + POOL_DTYPE.fields["inventory"][1]
        for market in (self.market, self.other):
            platform.post(market, 500_000)
            data = platform.data(market)
            platform.set_data(market, data[:at] + USD.to_bytes(8, "little") + data[at + 8 :])

    def resolve(self, name: str) -> Pubkey:
        """A resolved market in which both users hold a position with debt."""
        market = self.platform.create_market(name)
        self.platform.post(market, 500_000)
        self.platform.add_liquidity(self.maker, market, 1_000_000 * USD)
        for user in (self.user, self.stranger):
            instruction = self.platform.open_instruction(
                user, market, 100 * USD, position_id=LENT, leverage=2
            )
            self.platform.send(instruction, [user.key])
        self.platform.resolve(market, 1_000_000)
        return market

    def post_root(self, user: User) -> RewardTree:
        """A root that pays this user."""
        self.desk.next_index += 1
        rewards = [Reward(wallet=user.address, amount=BaseUnits(5))]
        tree = build_tree(0, self.desk.next_index, rewards)
        self.desk.post(tree)
        return tree

    def build(  # noqa: C901, PLR0912  # one case an instruction
        self, name: str, user: User | None = None, market: Pubkey | None = None
    ) -> Instruction:
        """An instruction that lands as it stands."""
        platform, program = self.platform, self.platform.program
        user, market = user or self.user, market or self.market
        on = (program, user.address, user.tokens, market)
        trade = {"pool": 0, "side": Side.YES, "worst_price_e6": 1_000_000, "counts_trade": True}
        admin = platform.admin.pubkey()
        match name:
            case "create_market":
                built = instructions.create_market(
                    program,
                    admin,
                    platform.quote_mint.pubkey(),
                    condition_id=bytes(32),
                    outcomes=2,
                    yes_token_or_hash=bytes(32),
                    no_token=bytes(32),
                    prices_e6=[500_000],
                )
            case "update_prices":
                built = instructions.update_prices(
                    program,
                    admin,
                    market,
                    price_class=0,
                    publish_slot=platform.slot,
                    readings=[(460_000, 0)],
                )
            case "add_liquidity":
                built = instructions.add_liquidity(
                    *on, pool=0, liquidity=10**9, cash_max=2**63, position_id=1_000
                )
            case "stake":
                built = instructions.stake(*on[:3], amount=USD)
            case "open_spot":
                built = instructions.open_position(
                    *on, position_id=2_000, margin=100 * USD, leverage=1, **trade
                )
            case "open_leveraged":
                terms = trade | {"side": Side.NO}
                built = instructions.open_position(
                    *on, position_id=2_000, margin=100 * USD, leverage=2, **terms
                )
            case "close_spot":
                built = instructions.close_position(*on, position_id=SPOT, has_debt=False)
            case "close_leveraged":
                built = instructions.close_position(*on, position_id=LENT, has_debt=True)
            case "liquidate":
                target = platform.position_address(user, market, LENT)
                built = instructions.liquidate(*on, [target])
            case "post_epoch":
                root = {"root": bytes(32), "leaf_count": 1, "total": BaseUnits(1)}
                built = instructions.post_epoch(program, admin, epoch=0, index=9, **root)
            case "pay_rewards":
                batch = self.trees[user.address].batch(0, 0)
                built = instructions.pay_rewards(
                    program, batch, [self.desk.tokens_of(user.address)]
                )
            case "resolve_market":
                built = instructions.resolve_market(program, admin, market, payouts_e6=[500_000])
            case "redeem":
                market = self.resolved[market]
                position = platform.position_address(user, market, LENT)
                built = instructions.redeem(program, user.address, *on[1:3], market, position)
            case "halt":
                built = instructions.halt(program, admin)
            case "open_chain" | "execute_chain" | "cancel_chain":
                built = self.build_chain(name, user, market)
            case _:
                built = self.build_way_out(name, user, market)
        return built

    def build_chain(self, name: str, user: User, market: Pubkey) -> Instruction:
        program = self.platform.program
        on = (program, user.address, user.tokens, market)
        chain = addresses.chain_address(program, market, user.address, CHAIN)[0]
        if name == "execute_chain":
            return instructions.execute_chain(
                *on, chain, first_step=0, step_count=1, counts_trade=True
            )
        if name == "cancel_chain":
            return instructions.cancel_chain(*on, chain, user.address, user.tokens)
        return instructions.open_chain(
            *on,
            chain_id=3_000,
            pool=0,
            side=Side.YES,
            deposit=USD,
            trigger_e6=1_000,
            is_above=True,
            expiry_slot=2**40,
            steps=[STAKE],
        )

    def build_way_out(self, name: str, user: User, market: Pubkey) -> Instruction:
        program = self.platform.program
        on = (program, user.address, user.tokens, market)
        match name:
            case "remove_liquidity":
                built = instructions.remove_liquidity(*on, pool=0, position_id=1_000)
            case "claim_maker_fees":
                built = instructions.claim_maker_fees(*on, pool=0)
            case "withdraw_fees":
                built = instructions.withdraw_fees(
                    program, self.platform.admin.pubkey(), user.tokens, market
                )
            case "sweep_fees":
                built = instructions.sweep_fees(program, market)
            case "request_unstake":
                built = instructions.request_unstake(program, user.address, shares=1)
            case "unstake":
                built = instructions.unstake(*on[:3])
            case "buy_inventory":
                built = instructions.buy_inventory(
                    *on, pool=0, side=Side.YES, position_id=1_000, shares=USD, cost_max=USD
                )
            case _:
                raise ValueError(name)
        return built

    def mutate(self, name: str, index: int, mutation: str) -> Instruction | None:
        """The instruction with one account wrong; None when this account has no such fault."""
        good = self.build(name)
        meta = good.accounts[index]
        signer, writable = meta.is_signer, meta.is_writable
        match mutation:
            case "readonly":
                if not writable:
                    return None
                writable = False
            case "unsigned":
                if not signer:
                    return None
                signer = False
        address = self.substitute(name, index, mutation, meta.pubkey)
        if address is None:
            return None
        accounts = list(good.accounts)
        accounts[index] = AccountMeta(address, signer, writable)
        return Instruction(good.program_id, good.data, accounts)

    def substitute(self, name: str, index: int, mutation: str, old: Pubkey) -> Pubkey | None:
        account = self.platform.svm.get_account(old)
        is_ours = account is not None and account.owner == self.platform.program
        new: Pubkey | None = old
        match mutation:
            case "stranger":
                new = keypair("thief").pubkey()
            case "foreign":
                has_state = account is not None and len(account.data) > 0 and not account.executable
                new = self.copy_under_another_program(old, account) if has_state else None
            case "kind":
                stake = addresses.stake_address(self.platform.program, self.user.address)[0]
                new = (self.platform.vault_address if stake == old else stake) if is_ours else None
            case "twin":
                twins = (
                    self.build(name, user=self.stranger).accounts[index].pubkey,
                    self.build(name, market=self.other).accounts[index].pubkey,
                )
                new = next((twin for twin in twins if twin != old), None)
        return new

    def copy_under_another_program(self, old: Pubkey, account: Account) -> Pubkey:
        copy = keypair(f"copy of {old}")
        self.keys[copy.pubkey()] = copy
        same = Account(account.lamports, account.data, FOREIGN_PROGRAM)
        self.platform.svm.set_account(copy.pubkey(), same)
        return copy.pubkey()

    def verdict(self, instruction: Instruction) -> str:
        """What happens to an instruction: `lands`, `runtime`, or the name of the program's refusal."""
        message = Message([instruction], self.payer)
        signers: list[Keypair] = [
            self.keys[key] for key in message.account_keys[: message.header.num_required_signatures]
        ]
        tx = Transaction(signers, message, self.platform.svm.latest_blockhash())
        result = self.platform.svm.simulate_transaction(tx)
        if not isinstance(result, FailedTransactionMetadata):
            return "lands"
        error = result.err()
        if isinstance(error, TransactionErrorInstructionError) and isinstance(
            error.err, InstructionErrorCustom
        ):
            known = errors.describe(error.err.code).partition(":")[0]
            return known if error.err.code in errors.BY_CODE else "runtime"
        return "runtime"


@pytest.fixture(scope="module")
def world():
    return World()


EXPECTED: dict[str, dict[str, dict[str, str]]] = {
    "create_market": {
        "authority": {
            "stranger": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "market": {"stranger": "WRONG_ADDRESS", "readonly": "NOT_WRITABLE"},
        "market_tokens": {"stranger": "WRONG_ADDRESS", "readonly": "NOT_WRITABLE"},
        "mint": {"stranger": "WRONG_ADDRESS", "foreign": "WRONG_ADDRESS"},
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system": {"stranger": "runtime"},
    },
    "update_prices": {
        "authority": {"stranger": "WRONG_AUTHORITY", "unsigned": "MISSING_SIGNATURE"},
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
    },
    "add_liquidity": {
        "owner": {
            "stranger": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
        },
        "maker": {
            "stranger": "runtime",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "position": {"stranger": "runtime", "twin": "runtime", "readonly": "NOT_WRITABLE"},
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system": {"stranger": "runtime"},
    },
    "stake": {
        "owner": {
            "stranger": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
        },
        "stake": {
            "stranger": "runtime",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system": {"stranger": "lands"},
    },
    "remove_liquidity": {
        "owner": {
            "stranger": "WRONG_AUTHORITY",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "maker": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
        },
        "position": {"stranger": "runtime", "twin": "runtime", "readonly": "NOT_WRITABLE"},
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system": {"stranger": "runtime"},
    },
    "claim_maker_fees": {
        "owner": {
            "stranger": "WRONG_AUTHORITY",
            "twin": "WRONG_AUTHORITY",
            "unsigned": "MISSING_SIGNATURE",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "maker": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
    "withdraw_fees": {
        "authority": {"stranger": "WRONG_AUTHORITY", "unsigned": "MISSING_SIGNATURE"},
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "authority_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
    "sweep_fees": {
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
    "request_unstake": {
        "owner": {
            "stranger": "WRONG_AUTHORITY",
            "twin": "WRONG_AUTHORITY",
            "unsigned": "MISSING_SIGNATURE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "stake": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
        },
    },
    "unstake": {
        "owner": {
            "stranger": "WRONG_AUTHORITY",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "stake": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
    "buy_inventory": {
        "owner": {
            "stranger": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
        },
        "position": {"stranger": "runtime", "twin": "runtime", "readonly": "NOT_WRITABLE"},
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system": {"stranger": "runtime"},
    },
    "open_spot": {
        "owner": {
            "stranger": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "GLOBAL_NOT_WRITABLE",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
        },
        "position": {"stranger": "runtime", "twin": "runtime", "readonly": "NOT_WRITABLE"},
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system": {"stranger": "runtime"},
    },
    "open_leveraged": {
        "owner": {
            "stranger": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "GLOBAL_NOT_WRITABLE",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
        },
        "position": {"stranger": "runtime", "twin": "runtime", "readonly": "NOT_WRITABLE"},
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system": {"stranger": "runtime"},
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "runtime",
        },
    },
    "close_spot": {
        "owner": {
            "stranger": "WRONG_AUTHORITY",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "position": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
    "close_leveraged": {
        "owner": {
            "stranger": "WRONG_AUTHORITY",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "position": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "runtime",
        },
    },
    "liquidate": {
        "keeper": {
            "stranger": "lands",
            "twin": "lands",
            "readonly": "lands",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "keeper_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "position": {
            "stranger": "NOTHING_LIQUIDATED",
            "foreign": "NOTHING_LIQUIDATED",
            "kind": "NOTHING_LIQUIDATED",
            "twin": "lands",
            "readonly": "NOTHING_LIQUIDATED",
        },
    },
    "post_epoch": {
        "authority": {
            "stranger": "WRONG_AUTHORITY",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "epoch": {"stranger": "WRONG_ADDRESS", "readonly": "NOT_WRITABLE"},
        "system": {"stranger": "runtime"},
    },
    "pay_rewards": {
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "epoch": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "BAD_PROOF",
            "readonly": "NOT_WRITABLE",
        },
        "treasury_tokens": {
            "stranger": "WRONG_TOKEN_ACCOUNT",
            "foreign": "WRONG_TOKEN_ACCOUNT",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "tokens": {
            "stranger": "WRONG_TOKEN_ACCOUNT",
            "foreign": "WRONG_TOKEN_ACCOUNT",
            "twin": "BAD_PROOF",
            "readonly": "runtime",
        },
    },
    "resolve_market": {
        "authority": {"stranger": "WRONG_AUTHORITY", "unsigned": "MISSING_SIGNATURE"},
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
    },
    "redeem": {
        "caller": {"stranger": "lands", "twin": "lands", "unsigned": "MISSING_SIGNATURE"},
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "position": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner": {"stranger": "WRONG_ADDRESS", "twin": "WRONG_ADDRESS", "readonly": "NOT_WRITABLE"},
        "owner_tokens": {
            "stranger": "WRONG_TOKEN_ACCOUNT",
            "foreign": "WRONG_TOKEN_ACCOUNT",
            "twin": "WRONG_TOKEN_ACCOUNT",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
    "halt": {
        "authority": {"stranger": "WRONG_AUTHORITY", "unsigned": "MISSING_SIGNATURE"},
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
    },
    "open_chain": {
        "owner": {
            "stranger": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "owner_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "runtime",
            "readonly": "NOT_WRITABLE",
        },
        "chain": {"stranger": "runtime", "twin": "runtime", "readonly": "NOT_WRITABLE"},
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
        "system_program": {"stranger": "runtime"},
    },
    # Any keeper may, for any chain, and send the bounty to whomever it likes. BORROW counts no trade.
    "execute_chain": {
        "keeper": {"stranger": "lands", "twin": "lands", "unsigned": "MISSING_SIGNATURE"},
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "lands",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "keeper_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "chain": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "lands",
            "readonly": "NOT_WRITABLE",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
    # The owner cancels: caller and owner, and both token accounts, are one and stay writable.
    "cancel_chain": {
        "caller": {
            "stranger": "NOT_CANCELLABLE",
            "twin": "NOT_CANCELLABLE",
            "readonly": "lands",
            "unsigned": "MISSING_SIGNATURE",
        },
        "global": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
        },
        "market": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "market_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "twin": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "vault": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "readonly": "NOT_WRITABLE",
        },
        "vault_tokens": {
            "stranger": "WRONG_ADDRESS",
            "foreign": "WRONG_ADDRESS",
            "readonly": "NOT_WRITABLE",
        },
        "chain": {
            "stranger": "WRONG_OWNER",
            "foreign": "WRONG_OWNER",
            "kind": "WRONG_ACCOUNT_KIND",
            "twin": "NOT_CANCELLABLE",
            "readonly": "NOT_WRITABLE",
        },
        "owner": {"stranger": "WRONG_ADDRESS", "twin": "WRONG_ADDRESS", "readonly": "lands"},
        "owner_tokens": {
            "stranger": "WRONG_TOKEN_ACCOUNT",
            "foreign": "WRONG_TOKEN_ACCOUNT",
            "twin": "WRONG_TOKEN_ACCOUNT",
            "readonly": "lands",
        },
        "caller_tokens": {
            "stranger": "runtime",
            "foreign": "runtime",
            "twin": "lands",
            "readonly": "lands",
        },
        "token_program": {"stranger": "WRONG_TOKEN_PROGRAM"},
    },
}
"""By instruction and account, in the order of both. What lands, and why that is harmless:

- update_prices with the twin: the oracle may post for any market.
- stake without the system program: nothing is created, so nobody needs it.
- close, remove_liquidity, claim_maker_fees, withdraw_fees, unstake with another user's tokens: who signs may give away
  what is paid.
- resolve_market with the twin: the oracle may resolve any market.
- redeem by a stranger: anyone may, the owner is paid.
- liquidate by a stranger, for another's tokens, or of another's position: anyone may be the keeper.
"""
HARMLESS_DUPLICATES = {
    "remove_liquidity": {("owner_tokens", "market_tokens")},
    "claim_maker_fees": {("owner_tokens", "market_tokens")},
    "withdraw_fees": {("authority_tokens", "market_tokens")},
    "unstake": {("owner_tokens", "vault_tokens")},
    "stake": {("system", other) for other in EXPECTED["stake"] if other != "system"},
    # A payout or bounty into the platform's own token accounts is a gift that no counter has.
    "close_spot": {("owner_tokens", "market_tokens")},
    "close_leveraged": {("owner_tokens", "market_tokens"), ("owner_tokens", "vault_tokens")},
    "redeem": {("owner", "caller")},  # the same account here
    "liquidate": {("keeper_tokens", "market_tokens"), ("keeper_tokens", "vault_tokens")},
    "execute_chain": {("keeper_tokens", "market_tokens"), ("keeper_tokens", "vault_tokens")},
    "cancel_chain": {
        ("caller_tokens", "market_tokens"),
        ("caller_tokens", "vault_tokens"),
        # The same accounts here.
        ("owner", "caller"),
        ("owner_tokens", "caller_tokens"),
        ("caller_tokens", "owner_tokens"),
    },
}
CASES = [
    pytest.param(name, index, expected, id=f"{name}-{account}")
    for name, rows in EXPECTED.items()
    for index, (account, expected) in enumerate(rows.items())
]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_right_accounts_land(world, name):
    assert world.verdict(world.build(name)) == "lands"
    assert len(EXPECTED[name]) == len(world.build(name).accounts)


@pytest.mark.parametrize(("name", "index", "expected"), CASES)
def test_a_wrong_account_is_refused_for_the_right_reason(world, name, index, expected):
    found = {
        mutation: world.verdict(wrong)
        for mutation in MUTATIONS
        if (wrong := world.mutate(name, index, mutation))
    }
    assert found == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_an_account_in_the_place_of_another_is_refused(world, name):
    good, names = world.build(name), list(EXPECTED[name])
    landed = set()
    for i, old in enumerate(good.accounts):
        for j, other in enumerate(good.accounts):
            accounts = list(good.accounts)
            writable = old.is_writable or other.is_writable
            accounts[i] = AccountMeta(other.pubkey, other.is_signer, writable)
            twice = Instruction(good.program_id, good.data, accounts)
            if i != j and world.verdict(twice) == "lands":
                landed.add((names[i], names[j]))
    assert landed == HARMLESS_DUPLICATES.get(name, set())


@pytest.mark.parametrize("name", [n for n in EXPECTED if n != "liquidate"])
def test_a_missing_account_is_refused(world, name):
    good = world.build(name)
    few = Instruction(good.program_id, good.data, good.accounts[:-1])
    assert world.verdict(few) == "NOT_ENOUGH_ACCOUNTS"


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("change", [-1, 1, 8])
def test_data_of_another_length_is_refused(world, name, change):
    good = world.build(name)
    data = bytes(good.data)
    data = data[:change] if change < 0 else data + bytes(change)
    verdict = world.verdict(Instruction(good.program_id, data, good.accounts))
    assert verdict == ("UNKNOWN_INSTRUCTION" if not data else "BAD_INSTRUCTION_DATA")


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("open_spot", "position"),
        ("open_leveraged", "position"),
        ("add_liquidity", "position"),
        ("add_liquidity", "maker"),
        ("remove_liquidity", "position"),
        ("buy_inventory", "position"),
        ("stake", "stake"),
        ("open_chain", "chain"),
    ],
)
def test_a_new_account_at_a_wallet_that_signs_is_refused(world, name, account):
    # The signature that the seeds are to prove was there already: the wallet itself became the position.
    good, index = world.build(name), list(EXPECTED[name]).index(account)
    accounts = list(good.accounts)
    accounts[index] = AccountMeta(world.payer, is_signer=True, is_writable=True)
    attack = Instruction(good.program_id, good.data, accounts)
    assert world.verdict(attack) == "WRONG_ADDRESS"
