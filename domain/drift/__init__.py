"""Drift with a stated false-alarm rate: grid -> counts -> windows -> signals -> season -> evidence.

Here, and nowhere else in `domain`, arrays are numpy's: an hour of traffic is millions of cells (docs/adr/0010).
"""
