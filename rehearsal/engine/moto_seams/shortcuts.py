"""Private touches on moto for speed alone: what it works out anew at each request though it does not change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from moto import backends
from moto.core import serialize
from moto.core.base_backend import BaseBackend

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


def install(account: Account) -> None:
    modules = frozenset(backends.list_of_moto_modules())
    replace(account, backends, "list_of_moto_modules", lambda: modules)  # it lists its own folder
    urls: dict[type, dict[str, Callable[..., Any]]] = {}

    def urls_of(backend: BaseBackend) -> dict[str, Callable[..., Any]]:
        kind = type(backend)
        if kind not in urls:
            urls[kind] = original_urls.fget(backend)
        return urls[kind]

    def aware(value: Any) -> datetime:
        moment: datetime = parsed(value) if isinstance(value, str) else original_aware(value)
        return moment

    original_urls = replace(account, BaseBackend, "urls", property(urls_of))
    original_aware: Callable[[Any], datetime] = replace(account, serialize, "parse_to_aware_datetime", aware)
    parsed = lru_cache(maxsize=4096)(original_aware)  # a listing has the same times again and again
