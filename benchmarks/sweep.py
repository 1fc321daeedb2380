"""Mutants caught by the rehearsal, by kind, against what cfn-lint, the CDK's validator and cdk-nag find in the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cdk_findings import NAG, VALIDATOR
from benchmarks.process import ROOT
from benchmarks.results import Claim
from rehearsal.sweep.mutants import Mutant
from rehearsal.sweep.sweep import Ground, prepare

OUT = ROOT / "build" / "sweep"
CFN_LINT = "cfn-lint"
PEERS = (CFN_LINT, VALIDATOR, NAG)
OF_A_KIND, BATCH, LIVES = 10, 25, 8
"""Mutants drawn of each kind for the peers, how many of them a synth takes, and drawn for whole short lives.

The peers take a second and a half a mutant, a life half a minute; the quick way takes all mutants.
"""
LEAST_A_MINUTE, MOST_SURVIVORS_PERCENT = 20, 5
Findings = dict[str, dict[str, list[str]]]  # template -> peer -> findings


def measure() -> list[Claim]:
    swept = _sweep()
    told = {one["name"]: one["state"] == "caught" for one in swept["mutants"]}
    lives = _sweep("--stack=tideline-dev", f"--sample={LIVES}", "--lives")
    drawn = _of_each_kind(prepare(OUT, print))
    caught = _caught(prepare(OUT, print), drawn)
    caught["ours"] = {mutant.name for mutant in drawn if told[mutant.name]}
    survivors = 100 * sum(not one for one in told.values()) / len(told)
    return [
        Claim(
            "at least 20 mutants a minute", round(60 * len(told) / swept["seconds"]),
            LEAST_A_MINUTE, "limit", "a minute",
        ),
        Claim(f"of {len(told)} mutants at most 5% survive", round(survivors, 1), MOST_SURVIVORS_PERCENT, "limit", "%"),
        _agreeing("mutants for which a short life says what the quick way says", told, lives["mutants"]),
        *(_claim(f"of {len(drawn)} mutants, up to {OF_A_KIND} a kind, caught", drawn, caught, peer) for peer in PEERS),
        *_by_kind(drawn, caught),
    ]  # fmt: skip


def _of_each_kind(ground: Ground) -> list[Mutant]:
    """A sample by kind: a small kind counts as much as a large one."""
    kinds: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in ground.mutants():
        kinds[mutant.kind].append(mutant)
    draw = random.Random(0)  # noqa: S311
    return [
        one for _, found in sorted(kinds.items()) for one in draw.sample(found, min(OF_A_KIND, len(found)))
    ]


def _agreeing(claim: str, told: dict[str, bool], others: Sequence[dict[str, Any]]) -> Claim:
    same = sum(told[one["name"]] == (one["state"] == "caught") for one in others)
    return Claim(claim, same, len(others), "drawn", "mutants")


def _claim(claim: str, drawn: Sequence[Mutant], caught: dict[str, set[str]], peer: str) -> Claim:
    mine, theirs = ({one.name for one in drawn} & caught[who] for who in ("ours", peer))
    return Claim(claim, len(mine), len(theirs), peer, "mutants")


def _by_kind(drawn: Sequence[Mutant], caught: dict[str, set[str]]) -> list[Claim]:
    caught["all three"] = set().union(*(caught[peer] for peer in PEERS))
    kinds: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in drawn:
        kinds[mutant.kind].append(mutant)
    return [
        _claim(f"of {len(members)} of kind {kind}, caught", members, caught, "all three")
        for kind, members in sorted(kinds.items())
    ]


def _sweep(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "rehearsal.sweep", f"--out={OUT}", *arguments]
    subprocess.run(command, cwd=ROOT, check=False)
    told: dict[str, Any] = json.loads((OUT / "sweep.json").read_text())
    return told


def _caught(ground: Ground, drawn: Sequence[Mutant]) -> dict[str, set[str]]:
    """By peer: the mutants in which it finds what it does not find in the template as it is."""
    names = {f"m{number}": mutant for number, mutant in enumerate(drawn)}
    bodies = {name: mutant.applied(ground.templates[mutant.stack]) for name, mutant in names.items()}
    bodies |= ground.templates
    found: Findings = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(0, len(bodies), BATCH):
            batch = Path(scratch) / str(number)
            batch.mkdir()
            for name in list(bodies)[number : number + BATCH]:
                (batch / f"{name}.json").write_text(json.dumps(bodies[name]))
            linted, synthesised = _cfn_lint(batch), _cdk(batch)
            found |= {name: synthesised[name] | linted[name] for name in linted}
    return {
        peer: {
            one.name for name, one in names.items() if set(found[name][peer]) - set(found[one.stack][peer])
        }
        for peer in PEERS
    }


def _cfn_lint(directory: Path) -> Findings:
    """Raises ValueError if it says nothing that can be read: silence would pass for no finding."""
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [program, "--format=json", *map(str, sorted(directory.glob("*.json")))],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found: Findings = {path.stem: {CFN_LINT: []} for path in directory.glob("*.json")}
    for match in json.loads(done.stdout):
        path = "/".join(map(str, match["Location"]["Path"] or []))
        found[Path(match["Filename"]).stem][CFN_LINT].append(
            f"{match['Rule']['Id']} {path} {match['Message']}"
        )
    return found


def _cdk(directory: Path) -> Findings:
    target = directory / "findings"
    command = [
        sys.executable,
        "-m",
        "benchmarks.cdk_findings",
        str(directory),
        str(ROOT / "cdk.json"),
        str(target),
    ]
    environment = {**os.environ, "CDK_VALIDATION": "true"}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    found: Findings = json.loads(target.read_text())
    return found
