"""Which instruction the data is of."""

from enum import IntEnum


class Tag(IntEnum):
    """First byte of the instruction data."""

    INITIALIZE = 0
    CREATE_MARKET = 1
    UPDATE_PRICES = 2
    ADD_LIQUIDITY = 3
    STAKE = 4
    OPEN_POSITION = 5
    CLOSE_POSITION = 6
    LIQUIDATE = 7
    REMOVE_LIQUIDITY = 8
    CLAIM_MAKER_FEES = 9
    WITHDRAW_FEES = 10
    SWEEP_FEES = 11
    REQUEST_UNSTAKE = 12
    UNSTAKE = 13
    BUY_INVENTORY = 14
    OPEN_CHAIN = 15
    CANCEL_CHAIN = 16
    EXECUTE_CHAIN = 17
    POST_EPOCH = 18
    PAY_REWARDS = 19
    RESOLVE_MARKET = 20
    REDEEM = 21
    HALT = 22
