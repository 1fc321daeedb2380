"""Models that must not pass, each a change of training/model.py that a person could make."""
