"""The chain that a ledger is of, asked."""

from incentives.cli.refusal import Refusal
from incentives.ledger.encoding import Identity
from programs.rpc import Rpc


async def require_same_chain(rpc: Rpc, identity: Identity) -> None:
    """Check that the endpoints are of the ledger's chain.

    Raises:
        Refusal: they are of another.
        RpcFailure: none answers.
    """
    genesis_hash = str(await rpc.get_genesis_hash())
    if genesis_hash != identity.genesis_hash:
        raise Refusal(
            f"the cluster's genesis is {genesis_hash}, the ledger's {identity.genesis_hash}: check cluster.rpc_urls"
        )
