"""The on-chain program in C, its build and its committed bytes."""
