from __future__ import annotations

import asyncio
import json

import pytest

from training.telemetry import LINES_AT_ONCE, PredictionMetric


def test_beyond_the_lines_of_a_second_sums_go_on_and_nothing_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metric = PredictionMetric("tideline-prod", "000042")
    requests = 50 * LINES_AT_ONCE

    async def busy() -> None:
        for _ in range(requests):
            metric.add([0.25, 0.5])
        await asyncio.sleep(1.2)

    asyncio.run(busy())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) <= LINES_AT_ONCE + 25
    assert sum(line["PredictionRows"] for line in lines) == 2 * requests
    assert sum(line["PredictionSum"] for line in lines) == pytest.approx(0.75 * requests)
