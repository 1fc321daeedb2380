"""The journal as a file: the same life gives the same bytes, wherever and however fast this machine plays it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rehearsal.engine import Account
from rehearsal.engine.journal import Entry

REAL_SECONDS = "wall_seconds"
LATENCY_ALARM = "rollback-latency"
LATENCIES = re.compile(
    r"""\d+\.\d+(?=\ \(\d\d/\d\d/\d\d)            # a datapoint in an alarm's reason
      | (?<=\\"recentDatapoints\\":)\[[^\]]*\]       # and in its data
      | (?<=\\"value\\":)\d+\.\d+""",
    re.VERBOSE,
)
LATENCY = re.compile(r'(?<="value": )\d+\.\d+')
MEASURED = "(measured)"


def write_journal(account: Account, path: Path) -> None:
    """A line an entry, without what this machine measured, and without its ports and paths."""
    here = {account.endpoint_url: "(account)", str(account.directory): "(directory)"}
    with path.open("w") as file:
        for entry in account.journal.entries:
            file.write(_line(entry, here) + "\n")


def _line(entry: Entry, here: dict[str, str]) -> str:
    told = {"at": entry.time.isoformat(), "entry": entry.kind, "facts": _plain(entry.facts)}
    line = json.dumps(told, sort_keys=True)
    if LATENCY_ALARM in line:
        line = LATENCY.sub(json.dumps(MEASURED), LATENCIES.sub(MEASURED, line))
    for ours, name in here.items():
        line = line.replace(ours, name)
    return line


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: MEASURED if key == REAL_SECONDS else _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
