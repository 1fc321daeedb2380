"""Private touch on moto's CloudWatch: an operation that it has not, DescribeAlarmHistory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


def answer(account: Account, select: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let `select` answer its requests; times in them have a zone."""

    def describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
        asked = {
            name: value.replace(tzinfo=UTC) if isinstance(value, datetime) and not value.tzinfo else value
            for name, value in self._get_params().items()
        }
        return ActionResult(select(asked))

    CloudWatchResponse.describe_alarm_history = describe_alarm_history  # type: ignore[attr-defined]
    account.on_close(lambda: delattr(CloudWatchResponse, "describe_alarm_history"))
