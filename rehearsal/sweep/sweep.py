"""A whole sweep: record a life, try each mutant the quick way, and live the short life where that cannot tell."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rehearsal.engine.cloudformation import assembly
from rehearsal.engine.cloudformation.assembly import StackArtifact
from rehearsal.engine.iam import enforcement
from rehearsal.scenarios.deployment import ROOT
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome
from rehearsal.sweep import jobs, recording, short
from rehearsal.sweep.forks import forked
from rehearsal.sweep.mutants import Mutant, mutants
from rehearsal.sweep.short import Made
from rehearsal.sweep.stage import stage
from rehearsal.sweep.trial import Trial
from rehearsal.sweep.verdict import Verdict

PARTS = (
    *(
        "app.py",
        "cdk.json",
        "config",
        "cli",
        "domain",
        "examples/flights",
        "lambdas",
        "rehearsal",
        "stacks",
        "training",
    ),
    *("Makefile", "requirements", "package.json", "package-lock.json", "tideline", ".dockerignore"),
)
"""What a recording depends on: what the app, the image and the steps of the delivery are made of."""
TRIAL_SECONDS, LIFE_SECONDS, SEASON_SECONDS = 300, 1800, 3600
Say = Callable[[str], None]


@dataclass(frozen=True)
class Ground:
    """What mutants are made from and tried on."""

    directory: Path
    made: Made

    @property
    def recording(self) -> Path:
        return self.directory / "recording.json"

    @property
    def stacks(self) -> dict[str, StackArtifact]:
        return {stack.name: stack for stack in assembly.stacks(self.made.assembly)}

    @property
    def templates(self) -> dict[str, dict[str, Any]]:
        return {name: json.loads(stack.template) for name, stack in self.stacks.items()}

    def mutants(self) -> list[Mutant]:
        return [mutant for name, template in self.templates.items() for mutant in mutants(name, template)]


def prepare(out: Path, say: Say) -> Ground:
    """Synthesise, and record the short life by push, unless that was done for these very files."""
    directory = out / _fingerprint()
    ground = Ground(directory, Made.under(directory))
    if not ground.recording.exists():
        say("recording a short life by push: some minutes, once for these files")
        shutil.rmtree(out, ignore_errors=True)
        short.make(directory)
        red = _in_a_fork(partial(_record, ground))
        if red:
            raise SystemExit(f"the life without a mutant is not green: {'; '.join(red)}")
    return ground


def _record(ground: Ground, _: object) -> list[str]:
    def keep(outcome: Outcome) -> None:
        asked = enforcement.uses(outcome.deployment.account).questions or {}
        recording.of(outcome, asked).write(ground.recording)

    with tempfile.TemporaryDirectory() as scratch, jobs.remembered(ground.directory / "jobs"):
        found = short.live_by_push(ground.made, Path(scratch), keep)
        red = [f"{one.expectation}: {one.where}" for one in found if not one.held]
    if red:
        ground.recording.unlink(missing_ok=True)
    return red


def _in_a_fork(work: Callable[[Any], Any]) -> Any:
    """What the CDK and a whole life leave in memory is not to be copied for each mutant."""
    [(_, answer)] = forked(["all"], work, at_once=1, limit_seconds=3600)
    if isinstance(answer, dict) and "error" in answer:
        raise SystemExit(f"{answer['error']}\n{answer.get('where', '')}")
    return answer


def quick(ground: Ground, chosen: Sequence[Mutant], at_once: int) -> Iterator[tuple[Mutant, Verdict]]:
    """Each mutant deployed into a fork of the stage."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        jobs.remembered(ground.directory / "jobs"),
        stage(ground.made, Path(scratch) / "account", ground.recording) as made,
    ):
        trial = Trial(made, ground.templates)
        baseline = _in_a_fork(lambda _: trial.baseline())
        if baseline["differs"] or baseline["red"]:
            raise SystemExit(f"the stage is not the account of the recording: {baseline}")
        trial.take_baseline(baseline)
        for mutant, answer in forked(
            chosen, lambda one: asdict(trial.judge(one)), at_once=at_once, limit_seconds=TRIAL_SECONDS
        ):
            yield mutant, Verdict("open", where=answer["error"]) if "error" in answer else Verdict(**answer)


def played(ground: Ground, chosen: Sequence[Mutant], at_once: int) -> Iterator[tuple[Mutant, Verdict]]:
    """Each mutant in a short life of its own, deployed from nothing; a mutant of the delivery is lived by push."""

    def live(made: Made, mutant: Mutant, directory: Path) -> list[Finding]:
        is_delivery = ground.stacks[mutant.stack].directory == ground.made.assembly
        return (short.live_by_push if is_delivery else short.live)(made, directory)

    yield from _judged(chosen, partial(_life, ground, ground.made, live), at_once, LIFE_SECONDS)


def whole(ground: Ground, chosen: Sequence[Mutant], at_once: int) -> Iterator[tuple[Mutant, Verdict]]:
    """Each mutant in the standard season, under the committed configuration, up to `short.SEASON_END`."""

    def live(made: Made, _: Mutant, directory: Path) -> list[Finding]:
        return short.season(made, directory)

    directory = ground.directory / "season"
    if not directory.exists():
        _in_a_fork(lambda _: short.make(directory, ROOT / "config" / "dev.yaml") and None)
    made = replace(Made.under(directory), tables=short.FLIGHTS.tables)
    green = directory / "green"
    if not green.exists():
        red = _in_a_fork(lambda _: _alone(ground, made))
        if red:
            raise SystemExit(f"the season without a mutant is not green: {'; '.join(red)}")
        green.touch()
    yield from _judged(chosen, partial(_life, ground, made, live), at_once, SEASON_SECONDS)


def _alone(ground: Ground, made: Made) -> list[str]:
    with tempfile.TemporaryDirectory() as scratch, jobs.remembered(ground.directory / "jobs"):
        return [
            f"{one.expectation}: {one.where}" for one in short.season(made, Path(scratch)) if not one.held
        ]


Live = Callable[[Made, Mutant, Path], list[Finding]]


def _judged(
    chosen: Sequence[Mutant], life: Callable[[Mutant], list[list[str]]], at_once: int, limit_seconds: float
) -> Iterator[tuple[Mutant, Verdict]]:
    for mutant, answer in forked(chosen, life, at_once=at_once, limit_seconds=limit_seconds):
        if isinstance(answer, dict):
            yield mutant, Verdict("open", where=answer["error"])
        elif answer:
            yield mutant, Verdict("caught", *answer[0])
        else:
            yield mutant, Verdict("survived", where="the life ends green")


def _life(ground: Ground, made: Made, live: Live, mutant: Mutant) -> list[list[str]]:
    """The expectations that did not hold."""
    with tempfile.TemporaryDirectory() as scratch, jobs.remembered(ground.directory / "jobs"):
        changed = Path(scratch) / "cdk.out"
        shutil.copytree(made.assembly, changed)
        [artifact] = [stack for stack in assembly.stacks(changed) if stack.name == mutant.stack]
        path = artifact.directory / artifact.properties["templateFile"]
        path.write_text(json.dumps(mutant.applied(json.loads(path.read_text()))))
        found = live(replace(made, assembly=changed), mutant, Path(scratch) / "account")
        return [[one.expectation, one.where] for one in found if not one.held]


def cores() -> int:
    return len(os.sched_getaffinity(0))


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*") if (ROOT / part).is_dir() else [ROOT / part]):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(
                    f"{path.relative_to(ROOT)} ".encode() + hashlib.sha256(path.read_bytes()).digest()
                )
    return digest.hexdigest()[:16]
