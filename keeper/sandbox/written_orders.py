"""What actors decide -> instructions of the program.

Core.
"""

from collections import Counter

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.sandbox.floor import CancelChain, Close, CloseHolding, Open, OpenChain, Order, Stake
from programs import instructions


def instructions_of(
    order: Order, program: Pubkey, next_id: Counter[Pubkey], *, counts_trade: bool
) -> list[Instruction]:
    """Build an order's instructions; every open takes the next position id of its actor."""
    actor, built = order.actor, []
    for action in order.actions:
        match action:
            case Open():
                position_id = next_id[actor.address]
                next_id[actor.address] += 1
                built.append(
                    instructions.open_position(
                        program,
                        actor.address,
                        actor.tokens,
                        order.market,
                        pool=0,
                        side=action.side,
                        position_id=position_id,
                        margin=action.margin,
                        leverage=action.leverage,
                        worst_price_e6=action.worst_price_e6,
                        counts_trade=counts_trade,
                    )
                )
            case Close():
                built.append(
                    instructions.close_position(
                        program,
                        actor.address,
                        actor.tokens,
                        order.market,
                        position_id=action.position_id,
                        has_debt=action.has_debt,
                        shares=action.shares,
                    )
                )
            case OpenChain():
                chain_id = next_id[actor.address]
                next_id[actor.address] += 1
                built.append(
                    instructions.open_chain(
                        program,
                        actor.address,
                        actor.tokens,
                        order.market,
                        chain_id=chain_id,
                        pool=0,
                        side=action.side,
                        deposit=action.deposit,
                        trigger_e6=action.trigger_e6,
                        is_above=action.is_above,
                        expiry_slot=action.expiry_slot,
                        steps=action.steps,
                    )
                )
            case CloseHolding():
                built.append(
                    instructions.close_holding(
                        program,
                        actor.address,
                        actor.tokens,
                        order.market,
                        action.address,
                        holding=action.holding,
                        has_debt=action.has_debt,
                    )
                )
            case CancelChain():
                built.append(
                    instructions.cancel_chain(
                        program,
                        actor.address,
                        actor.tokens,
                        order.market,
                        action.address,
                        actor.address,
                        actor.tokens,
                    )
                )
            case Stake():
                built.append(
                    instructions.stake(program, actor.address, actor.tokens, amount=action.amount)
                )
    return built
