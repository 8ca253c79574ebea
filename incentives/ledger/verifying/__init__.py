"""What must hold of a ledger: every invariant, one file for each kind of them."""
