"""Decisions of the ledger made again on the inputs that were kept, under other rules: which would differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from domain.decision import Decision
from domain.events import AlarmFired, utc
from domain.gate import DayLoss, Objection, decide_gate, with_objections
from domain.instances import NothingFitsError, Workload
from domain.learned_instances import History, choose_learned
from domain.prices import PriceBook, freshness
from domain.retraining import Limits, PastRuns, RetrainState, decide_retrain

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Rules:
    """What a configuration says of these decisions, and the price table beside it."""

    retraining: str
    cooldown_days: float
    limits: Limits
    margin: float
    resamples: int
    memory_gib: float
    minutes_on_one_vcpu: float
    deadline_minutes: float
    use_estimates: bool
    explore: bool
    book: PriceBook

    @classmethod
    def from_config(cls, config: Mapping[str, Any], book: PriceBook) -> Rules:
        """From an environment's configuration as plain values."""
        training, gate = config["training"], config["gate"]
        return cls(
            retraining=config["retraining"],
            cooldown_days=config["cooldown_days"],
            limits=Limits(**config["governor"]),
            margin=gate["margin"],
            resamples=gate["resamples"],
            memory_gib=training["memory_gib"],
            minutes_on_one_vcpu=training["minutes_on_one_vcpu"],
            deadline_minutes=training["deadline_minutes"],
            use_estimates=config["prices"]["estimates"] == "use",
            explore=training["explore"] == "on",
            book=book,
        )


@dataclass(frozen=True)
class Replayed:
    """A decision as it was made, and as it would be; `now` is None where its inputs were not kept."""

    then: Body
    now: Decision | None
    why_not: str = ""

    @property
    def differs(self) -> bool:
        return self.now is not None and self.now.verdict != self.then["verdict"]


def replay(decisions: Sequence[Body], rules: Rules) -> tuple[Replayed, ...]:
    """Every decision in its order. Each is judged on the inputs of its own time: no consequence is played on."""
    return tuple(_replayed(one, rules) for one in decisions)


def _replayed(then: Body, rules: Rules) -> Replayed:
    again = AGAIN.get(then["kind"])
    if again is None:
        return Replayed(then, None, "it was judged on what AWS showed at that moment")
    try:
        return Replayed(then, again(then, rules))
    except KeyError as missing:
        return Replayed(then, None, f"the ledger did not keep {missing} of it")


def _retrain(then: Body, rules: Rules) -> Decision:
    inputs = then["inputs"]
    alarm = AlarmFired(inputs["alarm_name"], inputs["alarm_reason"], utc(inputs["alarm_at"]))
    state = RetrainState(
        mode=rules.retraining,
        paused=inputs["paused"],
        running=inputs["running"],
        champion_since=_time(inputs["champion_since"]),
        cooldown=timedelta(days=rules.cooldown_days),
        now=utc(inputs["decided_at"]),
        past=_past(inputs),
        limits=rules.limits,
        broken=tuple(inputs.get("broken", ())),
    )
    return decide_retrain(alarm, state)


def _past(inputs: Body) -> PastRuns:
    """A decision that is older than the caps kept the last start alone."""
    last = [inputs["last_alarm_start"]] if inputs["last_alarm_start"] else []
    starts = tuple(sorted({utc(at) for at in (*last, *inputs.get("starts", ()))}))
    return PastRuns(starts, inputs.get("useless", 0), inputs.get("new_rows"))


def _time(text: str | None) -> Any:
    return utc(text) if text else None


def _gate(then: Body, rules: Rules) -> Decision:
    """On the days' losses; what else spoke against the model, a slice or bias, stands as it was."""
    days = [DayLoss(**day) for day in then["inputs"]["day_losses"]]
    objections = [Objection(**one) for one in then["inputs"].get("objections", ())]
    whole = decide_gate(days, margin=rules.margin, resamples=rules.resamples)
    verdict = with_objections(whole, objections)
    return Decision("gate", "passed" if verdict.passed else "refused", verdict.rule, (verdict.reason,))


def _instance(then: Body, rules: Rules) -> Decision:
    inputs = then["inputs"]
    asked = Workload(**inputs["workload"])
    workload = replace(asked, use_estimates=rules.use_estimates)
    if asked.minutes_on_one_vcpu is not None:
        workload = replace(
            workload,
            memory_gib=rules.memory_gib,
            minutes_on_one_vcpu=rules.minutes_on_one_vcpu,
            deadline_minutes=rules.deadline_minutes,
        )
    age = freshness(rules.book.as_of, utc(then["at"]).date())
    history = History.from_asked(inputs, frozen=age.verdict == "freeze", explore=rules.explore)
    try:
        choice = choose_learned(rules.book, workload, history)
    except NothingFitsError as error:
        return Decision("instance", "none", "nothing-fits", (str(error),))
    return Decision("instance", choice.winner.instance_type, choice.rule, choice.reasons)


AGAIN: Mapping[str, Callable[[Body, Rules], Decision]] = {
    "retrain": _retrain,
    "gate": _gate,
    "instance": _instance,
}
