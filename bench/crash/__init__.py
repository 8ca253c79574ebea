"""The keeper killed with -9 again and again on a bad network, and an audit that takes nobody's word but the chain's."""
