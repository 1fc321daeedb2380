"""The product's learner on a table: the same functions that choose an instance for a deployment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.selecting.table import Table, Task
from domain.failures import Pattern, failure_chances, patterns
from domain.finished_jobs import Job
from domain.learned_choice import Outlook, cheapest_at_risk, next_configuration
from domain.memory_cliff import mark_cliffs
from domain.runtime_model import Configuration, Shape, predict, shape_of


@dataclass
class Learned:
    """Chooses for one workload; knows the jobs of the others, and its own as they end."""

    task: Task
    configurations: Sequence[Configuration]
    shape: Shape
    known: Sequence[Pattern]
    own: list[Job] = field(default_factory=list)

    @classmethod
    def of(cls, table: Table, task: Task) -> Learned:
        others = [job for job in table.jobs if job.workload != task.workload]
        configurations = [table.configurations[name] for name in sorted(task.usd)]
        return cls(
            task,
            configurations,
            shape_of(configurations, others),
            patterns(configurations, mark_cliffs(others)),
        )

    def choose(self, run: int, *, explore: bool = True) -> str:
        beliefs, _ = predict(self.shape, self.own, self.task.size)
        chances = failure_chances(self.known, self.configurations, self.own, self.task.size)
        outlooks = [
            Outlook(mean + math.log(one.usd_per_hour / 3600), variance, chance)
            for one, mean, variance, chance in zip(
                self.configurations, beliefs.mean, beliefs.variance, chances, strict=True
            )
        ]
        if not explore:
            return self.configurations[cheapest_at_risk(outlooks)].name
        place = {one.name: i for i, one in enumerate(self.configurations)}
        paid = {
            place[job.configuration]: self.task.usd[job.configuration] for job in self.own if not job.failed
        }
        return self.configurations[next_configuration(outlooks, paid, tries=run)].name

    def ended(self, name: str) -> None:
        self.own.append(
            Job(self.task.workload, name, self.task.seconds[name], name in self.task.failed, self.task.size)
        )
