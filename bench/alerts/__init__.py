"""A real cause for every alert rule: does it fire, is it over once that is mended, and does nothing else fire besides?"""
