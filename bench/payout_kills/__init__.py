"""The keeper killed with -9 again and again while it settles rewards, and an audit by the network's own ledger."""
