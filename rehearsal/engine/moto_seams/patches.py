"""Replaces a piece of moto until the account closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


def replace(account: Account, owner: Any, name: str, replacement: Any) -> Any:
    """Put `replacement` in the place of `owner.name`; return the original."""
    original = vars(owner)[name]
    setattr(owner, name, replacement)
    account.on_close(lambda: setattr(owner, name, original))
    return original
