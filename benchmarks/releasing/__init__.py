"""Releases under constant traffic, ours and those of others, for `make bench NAME=delivery`."""
