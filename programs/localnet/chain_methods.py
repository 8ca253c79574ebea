"""RPC methods about the chain itself: slots, blocks, blockhashes, fees, identity."""

from base64 import b64decode
from typing import Final

from solders.message import MessageV1, from_bytes_versioned
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from programs.localnet.bank import SLOTS_PER_EPOCH, Commitment
from programs.localnet.fees import LOCKS_MAX
from programs.localnet.node import Node
from programs.localnet.params import Config, Params, parse_address
from programs.localnet.rpc_errors import (
    BLOCK_NOT_AVAILABLE,
    SLOT_SKIPPED,
    RpcError,
    invalid_params,
)
from programs.localnet.transaction_json import TRANSACTION_ENCODINGS, with_meta
from programs.units import Slot

VERSION: Final = {"solana-core": "4.1.2", "feature-set": 0}
"""The agave release whose runtime LiteSVM embeds; every feature is active."""
SLOT_LEADERS_MAX: Final = 5_000
BLOCKS_RANGE_MAX: Final = 500_000
PERFORMANCE_SAMPLES_MAX: Final = 720
DETAILS: Final = ("full", "accounts", "signatures", "none")


def with_context(slot: Slot, value: object) -> dict[str, object]:
    """A result that says which slot it was read at."""
    version = VERSION["solana-core"]
    return {"context": {"slot": slot, "apiVersion": version}, "value": value}


def get_health(_node: Node, _params: Params) -> object:
    """Say ok: a network that answers is healthy."""
    return "ok"


def get_version(_node: Node, _params: Params) -> object:
    """Name the runtime."""
    return VERSION


def get_genesis_hash(node: Node, _params: Params) -> object:
    """Name the chain."""
    return str(node.bank.genesis_hash)


def get_identity(node: Node, _params: Params) -> object:
    """Name the only validator."""
    return {"identity": str(node.bank.identity.pubkey())}


def get_slot(node: Node, params: Params) -> object:
    """The newest slot at a commitment."""
    return params.config(0).slot(node)


def get_block_height(node: Node, params: Params) -> object:
    """The block height at a commitment: blocks are counted, slots without one are not."""
    config = params.config(0)
    config.slot(node)
    return node.height_at(config.commitment())


def get_epoch_info(node: Node, params: Params) -> object:
    """Where in the epoch the chain is."""
    config = params.config(0)
    slot = config.slot(node)
    epoch, index = divmod(slot, SLOTS_PER_EPOCH)
    return {
        "absoluteSlot": slot,
        "blockHeight": node.height_at(config.commitment()),
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": node.landed_count,
    }


def get_epoch_schedule(_node: Node, _params: Params) -> object:
    """How slots divide into epochs: evenly, from the first."""
    return {
        "slotsPerEpoch": SLOTS_PER_EPOCH,
        "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
        "warmup": False,
        "firstNormalEpoch": 0,
        "firstNormalSlot": 0,
    }


def get_latest_blockhash(node: Node, params: Params) -> object:
    """The blockhash to sign with, and the last height it is good for."""
    config = params.config(0)
    slot = config.slot(node)
    block = node.block_at(config.commitment())
    return with_context(
        slot,
        {"blockhash": str(block.blockhash), "lastValidBlockHeight": block.last_valid_height},
    )


def is_blockhash_valid(node: Node, params: Params) -> object:
    """Whether a transaction with this blockhash may still land."""
    blockhash = params.blockhash()
    config = params.config(1)
    slot = config.slot(node)
    return with_context(slot, node.is_blockhash_valid(blockhash, config.commitment()))


def get_fee_for_message(node: Node, params: Params) -> object:
    """The fee of a base64 message, or null when its blockhash has expired."""
    try:
        message = from_bytes_versioned(b64decode(params.text(), validate=True))
        unsigned = [Signature.default()] * message.header.num_required_signatures
        VersionedTransaction.populate(message, unsigned).sanitize()
    except (ValueError, SanitizeError) as error:
        raise invalid_params(f"the message cannot be read: {error}") from error
    slot = params.config(1).slot(node)
    if isinstance(message, MessageV1) or not node.is_blockhash_valid(message.recent_blockhash):
        return with_context(slot, None)
    return with_context(slot, node.bank.fee_lamports(message))


def get_recent_prioritization_fees(node: Node, params: Params) -> object:
    """The lowest bid of each recent slot among transactions that wrote the given accounts."""
    addresses = [] if params.get(0) is None else params.items(0, LOCKS_MAX)
    floor = node.fee_floor([parse_address(address) for address in addresses])
    return [{"slot": slot, "prioritizationFee": bid} for slot, bid in floor]


def get_block_time(node: Node, params: Params) -> object:
    """When a slot was, in whole seconds since 1970."""
    slot = params.integer()
    _check_produced(node, slot, node.slot)
    return node.bank.unix_time_s(Slot(slot))


def get_first_available_block(node: Node, _params: Params) -> object:
    """The oldest slot whose transactions are all still here."""
    return node.bank.ledger.oldest_slot or 0


def get_slot_leader(node: Node, params: Params) -> object:
    """The only validator leads every slot."""
    params.config(0).slot(node)
    return str(node.bank.identity.pubkey())


def get_slot_leaders(node: Node, params: Params) -> object:
    """The only validator, once for each slot asked."""
    params.integer(0)
    count = params.integer(1, SLOT_LEADERS_MAX)
    return [str(node.bank.identity.pubkey())] * count


def get_transaction_count(node: Node, params: Params) -> object:
    """Transactions landed since genesis."""
    params.config(0).slot(node)
    return node.landed_count


def get_minimum_balance_for_rent_exemption(node: Node, params: Params) -> object:
    """The lamports that an account of this size must hold."""
    return node.bank.rent_exempt_lamports(params.integer(0, 10 * 1024 * 1024))


def get_recent_performance_samples(node: Node, params: Params) -> object:
    """Transactions per slot over the last minute, as one sample."""
    limit = PERFORMANCE_SAMPLES_MAX if params.get(0) is None else params.integer(0)
    if limit == 0:
        return []
    seconds = 60
    slots = min(node.slot, max(1, seconds * 1_000 // node.bank.config.slot_ms))
    count = sum(len(node.records_in(Slot(slot))) for slot in range(node.slot - slots, node.slot))
    return [
        {
            "slot": node.slot,
            "numTransactions": count,
            "numNonVoteTransactions": count,
            "numSlots": slots,
            "samplePeriodSecs": seconds,
        }
    ]


def get_blocks(node: Node, params: Params) -> object:
    """Every slot in a range that has a block."""
    start = params.integer()
    last = node.slot_at(archived_commitment(params.config(2)))
    end = last if params.get(1) is None else min(last, params.integer(1))
    if end - start > BLOCKS_RANGE_MAX:
        raise invalid_params(f"Slot range too large; max {BLOCKS_RANGE_MAX}")
    return [slot for slot in range(start, end + 1) if not node.bank.is_skipped(slot)]


def get_block(node: Node, params: Params) -> object:
    """One block with its transactions."""
    slot = Slot(params.integer())
    config = params.config(1)
    _check_produced(node, slot, node.slot_at(archived_commitment(config)))
    oldest = node.bank.ledger.oldest_slot
    if slot < (oldest or 0):
        raise RpcError(
            -32001,
            f"Block {slot} cleaned up, does not exist on node. First available block: {oldest}",
        )
    encoding = config.choice("encoding", TRANSACTION_ENCODINGS, "json")
    details = config.choice("transactionDetails", DETAILS, "full")
    version_max = config.integer("maxSupportedTransactionVersion", 255)
    records = node.records_in(slot)
    block = node.bank.block_of(node.bank.height_of(slot))
    parent = node.bank.block_of(node.bank.height_of(block.parent))
    body: dict[str, object] = {
        "previousBlockhash": str(parent.blockhash),
        "blockhash": str(block.blockhash),
        "parentSlot": block.parent,
        "blockTime": node.bank.unix_time_s(slot),
        "blockHeight": block.height,
    }
    if details == "signatures":
        body["signatures"] = [str(record.signature) for record in records]
    elif details != "none":
        body["transactions"] = [with_meta(record, encoding, version_max) for record in records]
    if config.get("rewards") is not False:
        body["rewards"] = []
    return body


def archived_commitment(config: Config) -> Commitment:
    """The commitment of a method that reads the archive, where processed does not exist."""
    commitment = config.commitment()
    if commitment == "processed":
        raise invalid_params("Method does not support commitment below `confirmed`")
    return commitment


def _check_produced(node: Node, slot: int, newest: Slot) -> None:
    if slot > newest:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    if node.bank.is_skipped(slot):
        raise RpcError(
            SLOT_SKIPPED,
            f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot",
        )
