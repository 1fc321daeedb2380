"""Moves the account's clock: scheduled rules fire at their own times, alarms are evaluated as minutes pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rehearsal.engine import alarms, queues, routing
from rehearsal.engine.expressions import next_fire
from rehearsal.engine.moto_seams import events as seam
from rehearsal.engine.moto_seams.events import DeployedRule

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


@dataclass
class Schedules:
    """Up to when each scheduled rule has been dealt with, by ARN."""

    settled: dict[str, datetime] = field(default_factory=dict)


_schedules: WeakKeyDictionary[Account, Schedules] = WeakKeyDictionary()


def install(account: Account) -> None:
    _schedules[account] = Schedules()


def advance_to(account: Account, instant: datetime) -> None:
    """Live until `instant`; schedules that came due while jobs moved the clock fire late, once."""
    account.pump()
    while True:
        for rule in _due_rules(account):
            _schedules[account].settled[rule.arn] = account.clock.now()
            routing.fire(account, rule)
            account.pump()
        _settle(account)
        if _due_rules(account):
            continue
        if account.clock.now() >= instant:
            return
        account.clock.move_to(_next_stop(account, instant))


def _settle(account: Account) -> None:
    """What passing time brings besides schedules: messages visible again, metrics, alarms, deployments."""
    queues.poll_all(account)
    account.pump()
    for hook in account.on_advance:
        hook()
    alarms.evaluate(account)
    account.pump()
    account.wake()


def _due_rules(account: Account) -> list[DeployedRule]:
    """The enabled rules whose next time has come, earliest first."""
    now = account.clock.now()
    times = [
        (time, rule) for rule in _scheduled(account) if (time := _next_time(account, rule)) and time <= now
    ]
    return [rule for _, rule in sorted(times, key=lambda item: (item[0], item[1].name))]


def _next_stop(account: Account, instant: datetime) -> datetime:
    """The next moment at which something happens by itself, at most `instant`."""
    times = [_next_time(account, rule) for rule in _scheduled(account)]
    times += [alarms.next_change(account), account.next_wake]
    return min([time for time in times if time and time < instant] + [instant])


def _scheduled(account: Account) -> list[DeployedRule]:
    """The enabled scheduled rules; a disabled one is settled up to now, so that it does not catch up later."""
    scheduled = seam.scheduled(account)
    for rule in scheduled:
        if not rule.enabled:
            _schedules[account].settled[rule.arn] = account.clock.now()
    return [rule for rule in scheduled if rule.enabled]


def _next_time(account: Account, rule: DeployedRule) -> datetime | None:
    after = max(rule.created_at, _schedules[account].settled.get(rule.arn, rule.created_at))
    return next_fire(rule.schedule or "", created=rule.created_at, after=after)
