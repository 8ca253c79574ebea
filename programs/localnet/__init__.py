"""A Solana JSON-RPC and websocket server over LiteSVM."""
