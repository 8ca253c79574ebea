"""Everything the chain understands: layouts, instructions, packing, landing."""
