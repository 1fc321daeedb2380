"""A local AWS account in one process: it takes a cloud assembly and carries it out.

moto is the control plane; this package adds what moto lacks. It imports nothing of Tideline's.
An AWS feature is here only because a template uses it; anything else stops the run by name.
"""

from rehearsal.engine.account import Account, Unsupported

__all__ = ["Account", "Unsupported"]
