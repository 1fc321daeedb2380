"""Each claim of speed, cost or quality, measured beside its peer by one command: make bench NAME=..."""
