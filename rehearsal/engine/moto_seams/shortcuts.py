"""Private touches on moto for speed alone: what it works out anew at each request though it does not change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.loaders import Loader
from moto import backends
from moto.core import responses, serialize
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.utils import method_names_from_class

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

_read: dict[str | None, dict[Any, Any]] = {}
"""What boto3 has read of its own description of the services: each session reads megabytes anew, else."""


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

    def backends_of(every: BackendDict, account_id: str) -> Any:
        found = dict.get(every, account_id)
        return original_backends(every, account_id) if found is None else found

    numbers = count(1)

    def request_id(headers: dict[str, Any] | None = None) -> str:
        numbered = f"{next(numbers):052}"
        if headers is not None:
            headers["x-amzn-requestid"] = numbered
        return numbered

    def loader(search_path: str | None = None) -> Loader:
        made: Loader = original_loader(search_path)
        made._cache = _read.setdefault(search_path, made._cache)
        return made

    original_loader = replace(account, botocore.session, "create_loader", loader)
    original_backends = replace(account, BackendDict, "__getitem__", backends_of)
    replace(account, responses, "gen_amzn_requestid_long", request_id)  # it draws 52 letters
    replace(account, responses, "method_names_from_class", cache(method_names_from_class))
    original_urls = replace(account, BaseBackend, "urls", property(urls_of))
    original_aware: Callable[[Any], datetime] = replace(account, serialize, "parse_to_aware_datetime", aware)
    parsed = lru_cache(maxsize=4096)(original_aware)  # a listing has the same times again and again
