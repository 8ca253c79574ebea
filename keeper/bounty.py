"""The keeper's own quote token account, where bounties arrive."""

import structlog
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
)

from keeper.costs import CREATE_CU, CREATE_LOADED_BYTES, TOKEN_ACCOUNT_RENT
from keeper.errors import ClusterError
from keeper.execute import Lane, Shipment, job_refs, ship
from keeper.rehearsal import Rehearsed
from programs.errors import in_words
from programs.outcomes import Failed, Landed
from programs.rpc import RpcFailure

log = structlog.get_logger()


async def open_bounty_account(lane: Lane) -> None:
    """Create the associated token account if there is none.

    Raises:
        ClusterError: it does not exist and could not be created.
    """
    owner, kit = lane.payer.pubkey(), lane.kit
    address = get_associated_token_address(owner, kit.quote_mint)
    try:
        if await kit.rpc.get_account(address, "confirmed") is not None:
            return
    except RpcFailure as failure:
        raise ClusterError(f"the bounty account {address} cannot be read ({failure})") from failure
    outcome = await ship(
        lane,
        Shipment(
            jobs=job_refs("create_token_account", [(address, "create")]),
            due_at_s=(),
            instructions=(
                create_idempotent_associated_token_account(owner, owner, kit.quote_mint),
            ),
            cu_limit=CREATE_CU,
            loaded_bytes=CREATE_LOADED_BYTES,
            rent_lamports=TOKEN_ACCOUNT_RENT,
        ),
    )
    if isinstance(outcome, Rehearsed):
        log.warning(
            "bounty_account.missing", address=str(address), effect="liquidations simulate badly"
        )
        return
    if isinstance(outcome, Landed):
        log.info("bounty_account.created", address=str(address))
        return
    reason = in_words(outcome.err) if isinstance(outcome, Failed) else outcome.reason
    raise ClusterError(
        f"the bounty account {address} could not be created ({reason}): fund {owner} with at least 0.003 SOL"
    )
