"""The operator's commands: against a kept rehearsal, and against a deployment in moto."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from cli.__main__ import main
from cli.image import content_tag
from cli.show import decision_text
from cli.source import Aws
from config import kept_account
from config.schema import ROOT

DECISION = {
    "at": "2013-04-22T13:01:00Z",
    "kind": "retrain",
    "verdict": "start",
    "rule": "alarm",
    "reasons": ["tideline-dev-loss is in ALARM and nothing speaks against a run"],
    "inputs": {"mode": "on", "refused": [f"type {i}" for i in range(12)]},
    "subject": "tideline-dev-loss@2013-04-22T13:01:00Z",
}
CHAMPION = {
    "release_id": "000002",
    "package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/2",
    "since": "2013-04-22T13:16:00Z",
    "heldout_loss": 0.1579,
}
LEDGER = [
    {"pk": "CHAMPION", "sk": "live", "body": CHAMPION},
    {"pk": "DECISION", "sk": "1", "body": DECISION},
    {"pk": "RUN", "sk": "run-1", "body": {"plan": {"run_id": "run-1"}, "status": "STARTED"}},
    {
        "pk": "SNAPSHOT",
        "sk": "latest",
        "body": {"id": "1c0b", "rows": 100519, "created": "2013-04-22T12:30:00Z"},
    },
]
CARRIER = {"feature": "temp", "signal": "location of temp", "share": 0.7, "since": "2013-04-25"}
WATCHED = {
    "release_id": "000002",
    "day": "2013-04-29",
    "rows": 900,
    "invalid": ["dewp: 93.0% missing, at most 5.6% before"],
    "labels": [],
    "traffic": [
        {"family": "features", "level": 1.2, "carriers": [CARRIER], "young": ""},
        {"family": "predictions", "level": 0.3, "carriers": [], "young": ""},
    ],
}
PACKAGE = CHAMPION["package_arn"][:-1]
IN_FLIGHT = {
    "release_id": "000003",
    "package_arn": f"{PACKAGE}3",
    "opened_at": "2013-04-25T15:15:00Z",
    "is_started": True,
    "alarms": ["tideline-dev-000003-0123abcd-rollback-latency: Threshold Crossed"],
}


@pytest.fixture
def kept(tmp_path: Path) -> str:
    (tmp_path / "ledger.json").write_text(json.dumps(LEDGER))
    return str(tmp_path)


def test_status_of_a_kept_rehearsal_names_model_run_and_last_decision(kept: str, capsys: Any) -> None:
    assert main(["--rehearsal", kept, "status"]) == 0
    shown = capsys.readouterr().out
    assert "model-package/tideline-dev/2 (release 000002" in shown
    assert "running    run-1" in shown
    assert "100,519 rows" in shown
    assert "retrain start: tideline-dev-loss is in ALARM" in shown


def test_status_as_json_is_for_programs(kept: str, capsys: Any) -> None:
    assert main(["--json", "--rehearsal", kept, "status"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["live"]["release_id"] == "000002"
    assert status["paused"] is False


def kept_with(directory: Path, *items: dict[str, Any]) -> str:
    (directory / "ledger.json").write_text(json.dumps([*LEDGER, *items]))
    return str(directory)


def test_status_shows_a_release_in_flight_with_what_its_alarms_said(tmp_path: Path, capsys: Any) -> None:
    kept = kept_with(tmp_path, {"pk": "LEASE", "sk": "release", "body": IN_FLIGHT})
    assert main(["--rehearsal", kept, "status"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert "releasing  tideline-dev/3 (release 000003, since 2013-04-25T15:15:00Z)" in shown
    assert "alarm      tideline-dev-000003-0123abcd-rollback-latency: Threshold Crossed" in shown


def test_status_shows_the_packages_that_wait_and_why(tmp_path: Path, capsys: Any) -> None:
    waits = {
        "package_arn": f"{PACKAGE}4",
        "since": "2013-04-25T15:16:00Z",
        "because": "release 000003 has not settled; it goes next",
    }
    kept = kept_with(tmp_path, {"pk": "WAITING", "sk": waits["package_arn"], "body": waits})
    assert main(["--rehearsal", kept, "status"]) == 0
    shown = capsys.readouterr().out.splitlines()
    said = "tideline-dev/4 since 2013-04-25T15:16:00Z: release 000003 has not settled; it goes next"
    assert f"waiting    {said}" in shown


@pytest.mark.parametrize("later", ["", "live"])
def test_status_shows_a_held_release_until_a_later_one_serves(
    tmp_path: Path, capsys: Any, later: str
) -> None:
    releases = [{**IN_FLIGHT, "outcome": "held", "closed_at": "2013-04-25T15:45:00Z"}]
    if later:
        releases.append({**releases[0], "release_id": "000004", "outcome": later})
    items = [{"pk": "RELEASE", "sk": one["release_id"], "body": one} for one in releases]
    assert main(["--rehearsal", kept_with(tmp_path, *items), "status"]) == 0
    held = "held       tideline-dev/3 serves (release 000003, since 2013-04-25T15:45:00Z) and has not proved itself"
    assert (held in capsys.readouterr().out) is not bool(later)


def test_explain_finds_a_decision_by_part_of_its_subject_and_shortens_long_lists(
    kept: str, capsys: Any
) -> None:
    assert main(["--rehearsal", kept, "explain", "loss@2013"]) == 0
    shown = capsys.readouterr().out
    assert "because  tideline-dev-loss is in ALARM and nothing speaks against a run" in shown
    assert "and 4 more; --json shows all" in shown


def test_explain_of_a_version_says_where_the_model_comes_from_and_what_it_cost(
    tmp_path: Path, capsys: Any
) -> None:
    package, manifest = (
        "arn:aws:sagemaker:us-east-1:1:model-package/tideline-dev/2",
        "tideline-manifest=1 run=run-9",
    )
    release = {
        "package_arn": package,
        "report_uri": "s3://b/runs/run-9/report/report.json",
        "proof": {"manifest": manifest},
    }
    plan = {"run_id": "run-9", "cause": "alarm", "incident": "loss", "snapshot_id": "s-1", "commit": "8c20"}
    job = {
        "component": "Training",
        "instance_type": "ml.c5.large",
        "billed_seconds": 61.0,
        "outcome": "completed",
    }
    run = {"plan": plan, "jobs": [job], "spent_micro_usd": 12_345}
    decided = {
        "kind": "release",
        "subject": f"000002/{package}",
        "verdict": "live",
        "rule": "endpoint-runs-it",
    }
    decided |= {"at": "2013", "reasons": ["it runs"], "inputs": {"package": package}}
    other = {**decided, "subject": f"000012/{package}2", "reasons": ["it is another"]}
    kept = kept_with(
        tmp_path,
        {"pk": "RELEASE", "sk": "000002", "body": release},
        {"pk": "RUN", "sk": "run-9", "body": run},
        {"pk": "DECISION", "sk": "1", "body": decided},
        {"pk": "DECISION", "sk": "2", "body": other},
    )
    assert main(["--rehearsal", kept, "explain", "2"]) == 0
    shown = capsys.readouterr().out
    for said in ("tideline-dev/2", "run-9", "alarm: loss", "s-1", "8c20", "0.0123 USD", manifest, "it runs"):
        assert said in shown
    assert "Training on ml.c5.large, 61 s, completed" in shown
    assert "it is another" not in shown
    assert main(["--rehearsal", kept, "explain", "9"]) == 2


def test_explain_of_something_unknown_says_what_is_known(kept: str, capsys: Any) -> None:
    assert main(["--rehearsal", kept, "explain", "nonsense"]) == 2
    assert "tideline-dev-loss@2013-04-22T13:01:00Z" in capsys.readouterr().err


def test_a_folder_without_a_rehearsal_is_an_error_with_a_remedy(tmp_path: Path, capsys: Any) -> None:
    assert main(["--rehearsal", str(tmp_path), "status"]) == 2
    assert "run `make rehearse` first" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["retrain", "--reason", "x"], ["approve", "1"], ["pause"]])
def test_what_acts_refuses_a_kept_rehearsal(kept: str, capsys: Any, command: list[str]) -> None:
    assert main(["--rehearsal", kept, *command]) == 2
    assert "of a rehearsal that has ended one can only read" in capsys.readouterr().err


def test_an_environment_without_a_file_is_an_error_with_a_remedy(capsys: Any) -> None:
    assert main(["--env", "nowhere", "status"]) == 2
    assert "copy config/dev.yaml" in capsys.readouterr().err


def test_the_image_tag_follows_the_content_and_not_the_commit(tmp_path: Path) -> None:
    for name in ("requirements/image.txt", "requirements/uv.txt", "domain/a.py", "training/model.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    before = content_tag(tmp_path)
    assert content_tag(tmp_path) == before
    (tmp_path / "training" / "model.py").write_text("y")
    assert content_tag(tmp_path) != before


def test_without_credentials_the_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def refuse(*_: object) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(Aws, "client", refuse)
    assert main(["status"]) == 2
    assert "Unable to locate credentials" in capsys.readouterr().err


def test_names_prints_the_name_of_a_stack(capsys: Any) -> None:
    assert main(["--env", "prod", "names", "training"]) == 0
    assert capsys.readouterr().out == "tideline-prod-training\n"


def test_a_reader_that_has_seen_enough_ends_the_command_without_a_traceback(kept: str) -> None:
    command = [sys.executable, "-m", "cli", "--rehearsal", kept, "explain"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_rehearsal_whose_account_is_up_is_asked_and_acted_on(
    kept: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = kept_account.environment("http://127.0.0.1:1", "us-east-1")
    for name in variables:
        monkeypatch.setenv(name, "before")
    kept_account.write(Path(kept), variables)
    assert main(["--rehearsal", kept, "status"]) == 2
    assert "http://127.0.0.1:1" in capsys.readouterr().err
    assert main(["--rehearsal", kept, "pause"]) == 2
    assert "http://127.0.0.1:1" in capsys.readouterr().err


def test_a_choice_of_instance_is_told_in_words_not_in_json() -> None:
    candidate = {"instance_type": "ml.c5.xlarge", "expected_usd": 0.0564, "expected_minutes": 16.2}
    inputs = {
        "candidates": [{**candidate, "minutes_range": [13.0, 20.0]}, {**candidate, "expected_minutes": None}],
        "refused": [["ml.m5.large", "memory: 8 GiB is below 9 GiB"]],
    }
    text = decision_text({**DECISION, "kind": "instance", "inputs": inputs})
    assert "    ml.c5.xlarge: 0.0564 USD, 16.2 min (9 in 10 between 13.0 and 20.0)" in text
    assert "    ml.c5.xlarge: 0.0564 USD an hour" in text
    assert "    ml.m5.large: memory: 8 GiB is below 9 GiB" in text


def with_watch(directory: str, **changes: Any) -> None:
    item = {"pk": "WATCH", "sk": "000002#2013-04-29", "body": WATCHED | changes}
    (Path(directory) / "ledger.json").write_text(json.dumps([*LEDGER, item]))


@pytest.mark.parametrize("command", [["status"], ["explain", "traffic"], ["explain", "invalid"]])
def test_what_changed_since_when_and_what_is_broken_is_told(
    kept: str, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with_watch(kept)
    assert main(["--rehearsal", kept, *command]) == 0
    said = capsys.readouterr().out
    assert "traffic    2013-04-29, 900 rows: features 1.20 of 1, predictions 0.30 of 1" in said
    assert "changed    location of temp since 2013-04-25 (70%)" in said
    assert "broken     dewp: 93.0% missing" in said


def test_what_was_found_of_the_model_before_is_not_told_of_this_one(
    kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with_watch(kept, release_id="000001")
    assert main(["--rehearsal", kept, "explain", "traffic"]) == 0
    assert capsys.readouterr().out == "nothing was checked yet since the last release\n"
