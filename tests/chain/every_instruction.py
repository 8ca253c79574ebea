"""Every instruction as it lands, beside the same for another user and for another market: material for wrong accounts.

The cast: two users with everything in both markets, a keeper who calls what anyone may call, and strangers. Nothing
lands once the world is made; instructions are simulated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
from programs.addresses import TOKEN_PROGRAM
from programs.chain_account import Step, StepKind
from programs.layout import MARKET_DTYPE, POOL_DTYPE
from programs.merkle import Reward, RewardTree, build_tree
from programs.units import BaseUnits

LENT, SPOT = 1, 2
"""Position ids of every user in every market; the surplus of their liquidity is position 0."""
RUNNING, DUE, HELD = 7, 8, 9
"""Chain ids of every user in every market: one to run, one that has expired, one that holds a leveraged position."""
PRICE, FALLEN = 500_000, 460_000
"""Where everything is opened, and where what is lent can be liquidated."""
TOKEN_ACCOUNT_BYTES = 165
FOREIGN_PROGRAM = keypair("another program").pubkey()


@dataclass
class World:
    """What all instructions need to land: made once."""

    platform: Platform = field(default_factory=Platform)
    unborn: Platform = field(default_factory=Platform)
    """The same program before genesis."""

    def __post_init__(self) -> None:
        platform = self.platform
        platform.initialize()
        self.maker = platform.user(10_000_000)
        self.market, self.other = (platform.create_market(name) for name in ("one", "two"))
        platform.stake(self.maker, 1_000_000 * USD)
        self.user, self.stranger = platform.user(), platform.user()
        self.keeper, self.other_keeper = platform.user(), platform.user()
        for market in (self.market, self.other):
            platform.post(market, PRICE)
            platform.add_liquidity(self.maker, market, 1_000_000 * USD)
            self.fill(market)
        self.resolved = {
            self.market: platform.create_market("three"),
            self.other: platform.create_market("four"),
        }
        for market in self.resolved.values():
            platform.post(market, PRICE)
            platform.add_liquidity(self.maker, market, 1_000_000 * USD)
            self.fill(market)
        self.let_leave()
        for market in (self.market, self.other):
            platform.move_oracle(market, FALLEN)
        for market in self.resolved.values():
            platform.resolve(market, 1_000_000)
        self.desk = RewardDesk(platform)
        self.trees = {user.address: self.post_root(user) for user in (self.user, self.stranger)}
        self.payer = keypair("payer").pubkey()
        people = [self.user, self.stranger, self.keeper, self.other_keeper]
        keys = [platform.admin, platform.program_key, *(user.key for user in people)]
        keys += [keypair("payer"), keypair("thief")]
        self.keys = {key.pubkey(): key for key in keys}
        for svm in (platform.svm, self.unborn.svm):
            for key in (keypair("payer"), keypair("thief")):
                svm.airdrop(key.pubkey(), 10**10)
        self.right = self.catalogue(self.user, self.market, self.keeper)
        self.twins = (
            self.catalogue(self.stranger, self.market, self.other_keeper),
            self.catalogue(self.user, self.other, self.keeper),
        )

    # -- what there is --

    def fill(self, market: Pubkey) -> None:
        """Everything that a user can have in a market, of both users."""
        platform = self.platform
        for user in (self.user, self.stranger):
            platform.stake(user, USD)
            user.next_position_id = 0
            platform.add_liquidity(user, market, 10**9)
            platform.open(user, market, 100 * USD, leverage=10)
            platform.open(user, market, 100 * USD)
            self.open_chain(user, market, RUNNING, [BORROW])
            self.open_chain(user, market, DUE, [BORROW], expiry_slot=platform.slot + 1)
            opened = Step(kind=StepKind.OPEN, leverage=10, limit_e6=1_000_000)
            chain = self.open_chain(user, market, HELD, [opened])
            platform.execute(self.keeper, chain)

    def open_chain(
        self, user: User, market: Pubkey, chain_id: int, steps: list[Step], **terms: int
    ) -> Pubkey:
        terms = {"chain_id": chain_id, "expiry_slot": 2**40} | terms
        return self.platform.open_chain(user, market, 100 * USD, *steps, **terms)

    def let_leave(self) -> None:
        """Locks pass, requests wait, and the vault holds shares of both markets, however it came by them."""
        platform = self.platform
        for user in (self.user, self.stranger):
            platform.request_unstake(user)
        platform.warp(150)
        platform.is_audited = False
        at = MARKET_DTYPE.itemsize + POOL_DTYPE.fields["inventory"][1]
        for market in (self.market, self.other):
            platform.post(market, PRICE)
            data = platform.data(market)
            platform.set_data(market, data[:at] + USD.to_bytes(8, "little") + data[at + 8 :])

    def post_root(self, user: User) -> RewardTree:
        """A root that pays this user."""
        self.desk.next_index += 1
        rewards = [Reward(wallet=user.address, amount=BaseUnits(5))]
        tree = build_tree(0, self.desk.next_index, rewards)
        self.desk.post(tree)
        return tree

    # -- every instruction --

    def catalogue(self, user: User, market: Pubkey, keeper: User) -> dict[str, Instruction]:
        """All instructions for a user in a market, by case: the instruction's name, and what is special after a dash."""
        by_admin = self.of_authorities(user, market)
        return by_admin | self.of_makers(user, market) | self.of_traders(user, market, keeper)

    def of_authorities(self, user: User, market: Pubkey) -> dict[str, Instruction]:
        platform = self.platform
        program, admin = platform.program, platform.admin.pubkey()
        quote, mmt = platform.quote_mint.pubkey(), platform.mmt_mint.pubkey()
        authorities = instructions.Authorities(
            market=admin, oracle=admin, incentives=admin, fee_treasury_owner=admin, halt=admin
        )
        batch = self.trees[user.address].batch(0, 0)
        return {
            "initialize": instructions.initialize(program, admin, quote, mmt, authorities),
            "create_market": instructions.create_market(
                program,
                admin,
                quote,
                condition_id=bytes(32),
                outcomes=2,
                yes_token_or_hash=bytes(32),
                no_token=bytes(32),
                prices_e6=[PRICE],
            ),
            "update_prices": instructions.update_prices(
                program,
                admin,
                market,
                price_class=0,
                publish_slot=platform.slot,
                readings=[(FALLEN, 0)],
            ),
            "resolve_market": instructions.resolve_market(
                program, admin, market, payouts_e6=[PRICE]
            ),
            "withdraw_fees": instructions.withdraw_fees(program, admin, user.tokens, market),
            "sweep_fees": instructions.sweep_fees(program, market),
            "post_epoch": instructions.post_epoch(
                program,
                admin,
                epoch=0,
                index=9,
                root=bytes(32),
                leaf_count=1,
                total=BaseUnits(1),
            ),
            "pay_rewards": instructions.pay_rewards(
                program, batch, [self.desk.tokens_of(user.address)]
            ),
            "halt": instructions.halt(program, admin),
        }

    def of_makers(self, user: User, market: Pubkey) -> dict[str, Instruction]:
        program = self.platform.program
        on = (program, user.address, user.tokens, market)
        return {
            "add_liquidity": instructions.add_liquidity(
                *on, pool=0, liquidity=10**9, cash_max=2**63, position_id=1_000
            ),
            "remove_liquidity": instructions.remove_liquidity(*on, pool=0, position_id=1_000),
            "claim_maker_fees": instructions.claim_maker_fees(*on, pool=0),
            "stake": instructions.stake(*on[:3], amount=USD),
            "request_unstake": instructions.request_unstake(program, user.address, shares=1),
            "unstake": instructions.unstake(*on[:3]),
            "buy_inventory": instructions.buy_inventory(
                *on, pool=0, side=Side.YES, position_id=1_000, shares=USD, cost_max=USD
            ),
        }

    def of_traders(self, user: User, market: Pubkey, keeper: User) -> dict[str, Instruction]:
        platform, program, resolved = self.platform, self.platform.program, self.resolved[market]
        on = (program, user.address, user.tokens, market)
        by_keeper = (program, keeper.address, keeper.tokens, market)
        owner, payee = user.address, user.tokens
        opening = {"pool": 0, "worst_price_e6": 1_000_000, "counts_trade": True} | {
            "position_id": 2_000,
            "margin": 100 * USD,
        }
        position = platform.position_address(user, market, LENT)
        redeemed = platform.position_address(user, resolved, LENT)

        def chain(number: int, where: Pubkey = market) -> Pubkey:
            return addresses.chain_address(program, where, owner, number)[0]

        return {
            "open_position-spot": instructions.open_position(
                *on, side=Side.YES, leverage=1, **opening
            ),
            "open_position-leveraged": instructions.open_position(
                *on, side=Side.NO, leverage=2, **opening
            ),
            "close_position-spot": instructions.close_position(
                *on, position_id=SPOT, has_debt=False
            ),
            "close_position-leveraged": instructions.close_position(
                *on, position_id=LENT, has_debt=True
            ),
            "close_position-chain": instructions.close_holding(
                *on, chain(HELD), holding=0, has_debt=True
            ),
            "liquidate": instructions.liquidate(*by_keeper, [position]),
            "liquidate-chain": instructions.liquidate(*by_keeper, [chain(HELD)]),
            "redeem": instructions.redeem(
                program, keeper.address, owner, payee, resolved, redeemed
            ),
            "redeem-chain": instructions.redeem(
                program, keeper.address, owner, payee, resolved, chain(HELD, resolved), holding=0
            ),
            "open_chain": instructions.open_chain(
                *on,
                chain_id=3_000,
                pool=0,
                side=Side.YES,
                deposit=USD,
                trigger_e6=1_000,
                is_above=True,
                expiry_slot=2**40,
                steps=[STAKE],
            ),
            "execute_chain": instructions.execute_chain(
                *by_keeper, chain(RUNNING), first_step=0, step_count=1, counts_trade=True
            ),
            "cancel_chain": instructions.cancel_chain(*on, chain(RUNNING), owner, payee),
            "cancel_chain-expired": instructions.cancel_chain(*by_keeper, chain(DUE), owner, payee),
        }

    # -- with a wrong account --

    def mutations(self, case: str, index: int) -> dict[str, Instruction]:
        """The instruction with one account wrong, in every way that this account can be."""
        good = self.right[case]
        meta = good.accounts[index]
        old, signer, writable = meta.pubkey, meta.is_signer, meta.is_writable
        found = {"stranger": AccountMeta(keypair("thief").pubkey(), signer, writable)}
        if writable:
            found["readonly"] = AccountMeta(old, signer, is_writable=False)
        if signer:
            found["unsigned"] = AccountMeta(old, is_signer=False, is_writable=writable)
        others = dict(zip(("other user", "other market"), self.twins, strict=True))
        others = {name: twin[case].accounts[index].pubkey for name, twin in others.items()}
        found |= {
            name: AccountMeta(other, signer, writable)
            for name, other in others.items()
            if other != old
        }
        svm = self.svm_of(case)
        account = svm.get_account(old)
        if account and account.data and not account.executable:
            copy = keypair(f"copy of {old}")
            self.keys[copy.pubkey()] = copy
            svm.set_account(copy.pubkey(), Account(account.lamports, account.data, FOREIGN_PROGRAM))
            found["foreign"] = AccountMeta(copy.pubkey(), signer, writable)
        if account and account.owner == TOKEN_PROGRAM and len(account.data) == TOKEN_ACCOUNT_BYTES:
            is_quote = account.data[:32] == bytes(self.platform.quote_mint.pubkey())
            mine = self.desk.tokens_of(self.user.address) if is_quote else self.user.tokens
            found["other mint"] = AccountMeta(mine, signer, writable)
        if account and account.owner == self.platform.program:
            stake = addresses.stake_address(self.platform.program, self.user.address)[0]
            other = self.platform.vault_address if stake == old else stake
            found["kind"] = AccountMeta(other, signer, writable)
        return {name: self.changed(case, {index: account}) for name, account in found.items()}

    def changed(self, case: str, accounts: Mapping[int, AccountMeta]) -> Instruction:
        """The instruction with these accounts in these places."""
        good = self.right[case]
        metas = [accounts.get(index, meta) for index, meta in enumerate(good.accounts)]
        return Instruction(good.program_id, good.data, metas)

    def verdicts(self, case: str, wrong: Mapping[str, Instruction]) -> dict[str, str]:
        return {name: self.verdict(case, instruction) for name, instruction in wrong.items()}

    def verdict(self, case: str, instruction: Instruction) -> str:
        """What happens to an instruction: `lands`, `runtime`, or the name of the program's refusal."""
        message = Message([instruction], self.payer)
        needed = message.account_keys[: message.header.num_required_signatures]
        signers: list[Keypair] = [self.keys[key] for key in needed]
        svm = self.svm_of(case)
        tx = Transaction(signers, message, svm.latest_blockhash())
        result = svm.simulate_transaction(tx)
        if not isinstance(result, FailedTransactionMetadata):
            return "lands"
        error = result.err()
        if isinstance(error, TransactionErrorInstructionError) and isinstance(
            error.err, InstructionErrorCustom
        ):
            known = errors.describe(error.err.code).partition(":")[0]
            return known if error.err.code in errors.BY_CODE else "runtime"
        return "runtime"

    def svm_of(self, case: str):
        return (self.unborn if case == "initialize" else self.platform).svm
