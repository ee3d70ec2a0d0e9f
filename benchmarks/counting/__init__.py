"""Counts of the calls that the product's server makes for a token.

Counts say what times cannot on a machine that does other things as well: the same
work gives the same count, so that even a small growth is seen.
"""
