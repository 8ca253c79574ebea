"""What a jump of the price costs the vault, what each rule is worth, and whether an attack pays."""
