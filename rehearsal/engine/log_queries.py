"""CloudWatch Logs Insights, as far as dashboards here ask it: fields, filter on equality, stats count, sort, limit."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.engine.account import Unsupported
from rehearsal.engine.clock import event_time

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Row = dict[str, Any]
MOST_ROWS = 10_000
"""Of a query without a limit, as documented."""
COMMAND_ENDS = re.compile(r"""\|(?=(?:[^'"]|'[^']*'|"[^"]*")*$)""")
FILTER = re.compile(r"""filter\s+([\w.@]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
STATS = re.compile(r"stats\s+count\(\*\)\s+as\s+(\w+)\s+by\s+(.+)")
SORT = re.compile(r"sort\s+([\w.@]+)\s+(asc|desc)")


@dataclass(frozen=True)
class Query:
    """One query: the groups it reads, and its commands in their order."""

    groups: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def parse(text: str) -> Query:
    """
    >>> parse("SOURCE 'a' | SOURCE 'b' | fields x\\n| limit 2")
    Query(groups=('a', 'b'), commands=('fields x', 'limit 2'))
    """
    query = Query()
    for command in (one.strip() for one in COMMAND_ENDS.split(text)):
        if source := re.fullmatch(r"SOURCE\s+'([^']+)'", command):
            query = replace(query, groups=(*query.groups, source[1]))
        elif command:
            query = replace(query, commands=(*query.commands, command))
    return query


def run(account: Account, text: str, *, since: datetime) -> Table:
    """What the query finds from `since` on. Raises Unsupported for a command that is not built."""
    query = parse(text)
    table = Table(("@timestamp", "@message"), tuple(_events(account, query.groups, since)))
    for command in query.commands:
        table = _carried_out(table, command)
    return replace(table, rows=table.rows[:MOST_ROWS])


def _carried_out(table: Table, command: str) -> Table:
    verb = command.split(maxsplit=1)[0]
    if verb == "fields":
        return replace(table, columns=_names(command.removeprefix("fields")))
    if found := FILTER.fullmatch(command):
        wanted = found[2] if found[2] is not None else found[3]
        return replace(table, rows=tuple(row for row in table.rows if str(row.get(found[1])) == wanted))
    if found := STATS.fullmatch(command):
        return _counted(table, found[1], _names(found[2]))
    if found := SORT.fullmatch(command):
        ordered = sorted(table.rows, key=lambda row: _orderly(row.get(found[1])), reverse=found[2] == "desc")
        return replace(table, rows=tuple(ordered))
    if found := re.fullmatch(r"limit\s+(\d+)", command):
        return replace(table, rows=table.rows[: int(found[1])])
    raise Unsupported(
        f'the log query\'s command {command!r}; built are fields, filter x = "y", stats count(*) as n by x, '
        "sort x asc|desc, limit n. Build it in rehearsal/engine/log_queries.py."
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _orderly(value: Any) -> tuple[int, float, str]:
    """Without a value first, then numbers, then words."""
    if isinstance(value, int | float):
        return 1, float(value), ""
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def _counted(table: Table, name: str, by: tuple[str, ...]) -> Table:
    times = Counter(tuple(row.get(column) for column in by) for row in table.rows)
    rows = tuple({**dict(zip(by, values, strict=True)), name: count} for values, count in times.items())
    return Table((*by, name), rows)


def _events(account: Account, groups: tuple[str, ...], since: datetime) -> Iterator[Row]:
    """Every event; the members of one that is a JSON object are its fields, as Insights discovers them."""
    logs = account.client("logs")
    for group in groups:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(since.timestamp() * 1000)
        )
        for page in pages:
            for event in page["events"]:
                yield {**_discovered(event["message"]), **_own(event)}


def _own(event: dict[str, Any]) -> Row:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return {"@timestamp": event_time(at), "@message": event["message"]}


def _discovered(message: str) -> Row:
    if not message.startswith("{"):
        return {}
    try:
        found = json.loads(message)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
