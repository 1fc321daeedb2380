"""The journal as a file: the same life gives the same bytes, wherever and however fast it is played."""

from __future__ import annotations

import json
from pathlib import Path

from rehearsal.engine import Account


def write_journal(account: Account, path: Path) -> None:
    with path.open("w") as file:
        for entry in account.journal.entries:
            file.write(
                json.dumps(
                    {"at": entry.time.isoformat(), "kind": entry.kind, **entry.facts},
                    sort_keys=True,
                    default=str,
                )
                + "\n"
            )
