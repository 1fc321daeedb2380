"""What a life asked of the deployed policies, which events it sent and which metrics it published."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rehearsal.engine import Account, alarms
from rehearsal.engine.iam.enforcement import Question
from rehearsal.engine.iam.policies import Access, Principal
from rehearsal.scenarios.turn import Outcome


@dataclass(frozen=True)
class Metric:
    """A metric that was published."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str


@dataclass(frozen=True)
class Recording:
    """One life, as far as a change of its templates can matter to it."""

    questions: dict[Question, bool]
    events: list[dict[str, Any]]
    """Those of AWS and the neighbour's near misses, as EventBridge sends them."""
    near_misses: tuple[str, ...]
    """The ids of the neighbour's."""
    taken: dict[str, list[str]]
    """Which rules took an event, by its id."""
    metrics: list[Metric]
    names: dict[str, str]
    """The physical name of each resource, by stack and logical id; the other account may draw others."""

    def write(self, path: Path) -> None:
        content = {
            **{name: getattr(self, name) for name in ("events", "near_misses", "taken", "names")},
            "metrics": [asdict(metric) for metric in self.metrics],
            "questions": [{**asdict(question), "allowed": told} for question, told in self.questions.items()],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    @classmethod
    def read(cls, path: Path, names: dict[str, str]) -> Self:
        """The recording as if it had been made in an account in which the resources have these names."""
        text = path.read_text()
        for logical_id, drawn in json.loads(text)["names"].items():
            if names.get(logical_id, drawn) != drawn:
                text = text.replace(drawn, names[logical_id])
        content = json.loads(text)
        return cls(
            questions={_question(one): one["allowed"] for one in content["questions"]},
            events=content["events"],
            near_misses=tuple(content["near_misses"]),
            taken=content["taken"],
            metrics=[
                Metric(**{**one, "dimensions": tuple(tuple(pair) for pair in one["dimensions"])})
                for one in content["metrics"]
            ],
            names=names,
        )


def _question(one: dict[str, Any]) -> Question:
    access = one["access"]
    context = tuple((key, tuple(values)) for key, values in access["context"])
    return Question(
        one["use"],
        Principal(**one["principal"]),
        Access(access["action"], access["resource"], context),
        one["by_resource"],
    )


def of(outcome: Outcome, questions: dict[Question, bool]) -> Recording:
    account = outcome.deployment.account
    misses = {miss.id: miss.event for miss in outcome.near_misses}
    taken: dict[str, list[str]] = {}
    for entry in account.journal.of("delivery"):
        if "event_id" in entry.facts and entry.facts["event_id"] not in misses:
            taken.setdefault(entry.facts["event_id"], []).append(entry.facts["rule"])
    return Recording(
        questions=questions,
        events=[*_events(account, taken, set(misses)), *misses.values()],
        near_misses=tuple(misses),
        taken=taken,
        metrics=_metrics(account),
        names=physical_names(account),
    )


KEPT_OF_A_KIND = 8


def _events(account: Account, taken: dict[str, list[str]], misses: set[str]) -> list[dict[str, Any]]:
    """The events of AWS: the first few of each kind, by who took them and by what they say of a state."""
    kept: dict[str, list[dict[str, Any]]] = {}
    for entry in account.journal.of("event"):
        facts = entry.facts
        if facts["id"] in misses or facts["detail_type"] == "Scheduled Event":
            continue
        shape = json.dumps([facts["detail_type"], taken.get(facts["id"], []), sorted(facts["detail"])])
        kept.setdefault(shape, []).append(
            {
                "version": "0",
                "id": facts["id"],
                "detail-type": facts["detail_type"],
                "source": facts["source"],
                "account": account.id,
                "time": entry.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": account.region,
                "resources": facts["resources"],
                "detail": facts["detail"],
            }
        )
    return [event for events in kept.values() for event in events[:KEPT_OF_A_KIND]]


def _metrics(account: Account) -> list[Metric]:
    published = alarms.published(account)
    return [
        Metric(key.namespace, key.name, tuple(sorted(key.dimensions)), unit)
        for key, series in published.items()
        for unit in sorted(series.units())
    ]


def physical_names(account: Account) -> dict[str, str]:
    """Stack and logical id -> physical id, of every stack that is there; a stack itself by its id."""
    cloudformation = account.client("cloudformation")
    found: dict[str, str] = {}
    for stack in cloudformation.describe_stacks()["Stacks"]:
        found[stack["StackName"]] = stack["StackId"]
        resources = cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
        for resource in resources:
            found[f"{stack['StackName']} {resource['LogicalResourceId']}"] = resource["PhysicalResourceId"]
    return found
