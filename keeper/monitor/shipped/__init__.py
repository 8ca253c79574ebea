"""What operators install beside the keeper, made from the same names and rules as the keeper's own monitor."""
