"""At-least-once: without a seed each event comes once and in order; with one, twice and in another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rehearsal.engine.at_least_once import LONGEST_ECHO_MINUTES, AtLeastOnce
from tests.engine.runtime_world import World, world

MANY = 40


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "account") as made:
        yield made


def came(alive: World, seed: int) -> list[int]:
    """In which order, and how often, so many deliveries are carried out within a day."""
    found: list[int] = []
    chance = AtLeastOnce(alive.account, seed)
    for number in range(MANY):
        chance.deliver(f"event {number}", lambda number=number: found.append(number))
    alive.account.pump()
    alive.account.advance_to(alive.account.clock.now() + timedelta(minutes=LONGEST_ECHO_MINUTES))
    return found


def test_without_a_seed_everything_comes_once_and_in_order(alive: World) -> None:
    assert came(alive, seed=0) == list(range(MANY))
    assert alive.facts("echo") == []


def test_a_seed_repeats_and_reorders_and_loses_nothing(alive: World) -> None:
    found = came(alive, seed=5)
    assert set(found) == set(range(MANY))
    assert len(found) == MANY + len(alive.facts("echo")) > MANY
    assert list(dict.fromkeys(found)) != list(range(MANY))


def test_the_same_seed_makes_the_same_choices_and_another_seed_others(alive: World) -> None:
    first = came(alive, seed=5)
    assert came(alive, seed=5) == first
    assert came(alive, seed=6) != first


def test_events_messages_and_asynchronous_calls_come_again(alive: World) -> None:
    """What a function is called with, by its own count: each way of delivery has its echo somewhere."""
    alive.account.at_least_once.seed = 3
    work = alive.function("def handler(event, context):\n    return 'done'\n")
    alive.permit("work", alive.rule("to-work", work))
    url, queue = alive.queue("messages")
    alive.account.client("lambda").create_event_source_mapping(EventSourceArn=queue, FunctionName="work")
    for number in range(9):
        alive.account.put_event("test", "Something", {"number": number})
        alive.account.client("sqs").send_message(QueueUrl=url, MessageBody=f'"message {number}"')
        alive.account.pump()
    alive.live(hours=3)

    told = {facts["delivery"].split(" ")[0] for facts in alive.facts("echo")}
    assert told == {"deliver", "invoke", "receive"}
    calls = [facts["event"] for facts in alive.facts("invocation")]
    assert len({event["detail"]["number"] for event in calls if "detail" in event}) == 9
    assert len(calls) > 18
    assert alive.facts("dead-letter") == []
