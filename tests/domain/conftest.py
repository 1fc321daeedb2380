"""Property tests try the same inputs on every run, on every machine."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("fixed")
