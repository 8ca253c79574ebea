"""The RPC methods this network answers, by name."""

from collections.abc import Callable, Mapping
from typing import Final

from programs.localnet import account_methods, chain_methods, transaction_methods
from programs.localnet.node import Node
from programs.localnet.params import Params

Method = Callable[[Node, Params], object]
"""Answers a request with a JSON value, or raises RpcError."""

METHODS: Final[Mapping[str, Method]] = {
    "getAccountInfo": account_methods.get_account_info,
    "getBalance": account_methods.get_balance,
    "getBlock": chain_methods.get_block,
    "getBlockHeight": chain_methods.get_block_height,
    "getBlockTime": chain_methods.get_block_time,
    "getBlocks": chain_methods.get_blocks,
    "getEpochInfo": chain_methods.get_epoch_info,
    "getEpochSchedule": chain_methods.get_epoch_schedule,
    "getFeeForMessage": chain_methods.get_fee_for_message,
    "getFirstAvailableBlock": chain_methods.get_first_available_block,
    "getGenesisHash": chain_methods.get_genesis_hash,
    "getHealth": chain_methods.get_health,
    "getIdentity": chain_methods.get_identity,
    "getLatestBlockhash": chain_methods.get_latest_blockhash,
    "getMinimumBalanceForRentExemption": chain_methods.get_minimum_balance_for_rent_exemption,
    "getMultipleAccounts": account_methods.get_multiple_accounts,
    "getProgramAccounts": account_methods.get_program_accounts,
    "getRecentPerformanceSamples": chain_methods.get_recent_performance_samples,
    "getRecentPrioritizationFees": chain_methods.get_recent_prioritization_fees,
    "getSignatureStatuses": transaction_methods.get_signature_statuses,
    "getSignaturesForAddress": transaction_methods.get_signatures_for_address,
    "getSlot": chain_methods.get_slot,
    "getSlotLeader": chain_methods.get_slot_leader,
    "getSlotLeaders": chain_methods.get_slot_leaders,
    "getTokenAccountBalance": account_methods.get_token_account_balance,
    "getTokenAccountsByDelegate": account_methods.get_token_accounts_by_delegate,
    "getTokenAccountsByOwner": account_methods.get_token_accounts_by_owner,
    "getTokenLargestAccounts": account_methods.get_token_largest_accounts,
    "getTokenSupply": account_methods.get_token_supply,
    "getTransaction": transaction_methods.get_transaction,
    "getTransactionCount": chain_methods.get_transaction_count,
    "getVersion": chain_methods.get_version,
    "isBlockhashValid": chain_methods.is_blockhash_valid,
    "minimumLedgerSlot": chain_methods.get_first_available_block,
    "requestAirdrop": transaction_methods.request_airdrop,
    "sendTransaction": transaction_methods.send_transaction,
    "simulateTransaction": transaction_methods.simulate_transaction,
}
