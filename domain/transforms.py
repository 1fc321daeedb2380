"""Serving by batch: which request files a transform predicts, how it ended, and what is captured of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from domain.capture import stamp
from domain.counted import counted
from domain.decision import Decision
from domain.judging import LACKS_ROOM
from domain.names import Prefix
from domain.releases import model_stamp, takes_updates

TRIES = 2
"""A file that so many transforms could not predict is left to people."""
MOST_FILES = 1000
"""In one transform; the others go with the next."""
STARTED, COMPLETED, FAILED, NOT_RUN = "started", "completed", "failed", "not-run"
ENDED = {"Completed": COMPLETED, "Failed": FAILED, "Stopped": FAILED}
"""What becomes of a job by the status that SageMaker gives it at its end."""


@dataclass(frozen=True)
class Transform:
    """One transform job as the ledger keeps it. `files` are keys of the data bucket."""

    job: str
    release_id: str
    package_arn: str
    model_name: str
    instance_type: str
    files: tuple[str, ...]
    started_at: str
    values: int = 1
    """What its model answers to a row: one number, or one for each class."""
    status: str = STARTED
    predicted: tuple[str, ...] = ()
    """Those of its files that have an output, also where others failed."""
    rows: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "files": list(self.files), "predicted": list(self.predicted)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Transform:
        return cls(**{**raw, "files": tuple(raw["files"]), "predicted": tuple(raw["predicted"])})


def pending_files(listed: Sequence[str], past: Sequence[Transform]) -> tuple[str, ...]:
    """The request files without a prediction, oldest first, but those that failed too often.

    SageMaker names an output by its input's last part, so of two of a name the second goes with the next transform.

    >>> pending_files(["requests/2013/03/02/a.csv", "requests/2013/03/01/a.csv", "requests/2013/03/02/b.csv"], [])
    ('requests/2013/03/01/a.csv', 'requests/2013/03/02/b.csv')
    """
    done = {file for one in past for file in one.predicted}
    failed = Counter(file for one in past if one.status == FAILED for file in one.files)
    waiting = [file for file in sorted(listed) if file not in done and failed[file] < TRIES]
    by_name = {_name(file): file for file in reversed(waiting)}
    return tuple(file for file in waiting if by_name[_name(file)] == file)[:MOST_FILES]


def decide_transform(
    *,
    listed: Sequence[str],
    past: Sequence[Transform],
    serving: tuple[str, str] | None,
    deployment: str,
    model_name: str | None,
    stack_status: str,
) -> Decision:
    """Predict what came, or not now. The first rule that holds decides.

    `serving` is the release and the package that serve, `model_name` the model that Serving has.
    """
    files = pending_files(listed, past)
    inputs: dict[str, Any] = {"files": len(files), "model": model_name, "stack_status": stack_status}

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("transform", verdict, rule, (reason,), inputs)

    if serving is None:
        return decided("skip", "no-model", "no model is live")
    if running := next((one.job for one in past if one.status == STARTED), None):
        return decided(
            "wait", "transform-in-flight", f"{running} has not ended; what came goes with the next"
        )
    if not files:
        return decided("skip", "nothing-new", f"every file under {Prefix.REQUESTS} has its prediction")
    release_id, package_arn = serving
    is_there = (model_name or "").startswith(f"{deployment}-{release_id}-")
    if not takes_updates(stack_status) or not is_there:
        reason = f"Serving is {stack_status} with {model_name}, and release {release_id} is live; what came goes next"
        return decided("wait", "release-in-flight", reason)
    what = counted(len(files), "file")
    return decided("start", "requests-came", f"{model_stamp(package_arn)} predicts {what} that came")


def job_name(deployment: str, now: datetime) -> str:
    """At most 63 characters; the date after the deployment's name keeps a longer name's jobs apart.

    To the minute, so that a schedule which fires twice asks for one job.

    >>> job_name("tideline-dev", datetime(2013, 3, 1, 2))
    'tideline-dev-20130301-0200'
    """
    return f"{deployment}-{now:%Y%m%d-%H%M}"


def manifest(bucket: str, files: Sequence[str]) -> str:
    """What SageMaker reads to know its input: a prefix and the rest of each key.

    >>> manifest("data", ["requests/2013/03/01/a.csv"])
    '[{"prefix": "s3://data/requests/"}, "2013/03/01/a.csv"]'
    """
    return json.dumps([{"prefix": f"s3://{bucket}/{Prefix.REQUESTS}"}, *(_below(file) for file in files)])


def _name(key: str) -> str:
    """Its last part."""
    return key.rpartition("/")[2]


def _below(file: str) -> str:
    return file.removeprefix(Prefix.REQUESTS)


def outputs_of(transform: Transform, written: Sequence[str]) -> dict[str, str]:
    """The output of each of its files that has one, by file."""
    by_name = {_name(key): key for key in written}
    found = {file: by_name.get(f"{_name(file)}.out") for file in transform.files}
    return {file: key for file, key in found.items() if key}


@dataclass(frozen=True)
class Predicted:
    """A file of requests with its predictions, as one line of a capture file."""

    line: str
    rows: int


def captured(joined: str, *, file: str, transform: Transform) -> Predicted:
    """What a transform wrote, input and prediction on a line, as SageMaker captures a request of an endpoint.

    Its inference id is the file's path below requests/ without its ending. Raises ValueError for a line without a
    prediction.
    """
    lines = [line.rsplit(",", transform.values) for line in joined.splitlines() if line.strip()]
    if not all(len(parts) == transform.values + 1 for parts in lines):
        raise ValueError(f"{file}: a line of its output has no prediction after its input")
    sides = {
        "endpointInput": _side("INPUT", [row for row, *_ in lines]),
        "endpointOutput": _side("OUTPUT", [",".join(prediction) for _, *prediction in lines]),
    }
    about = {
        "eventId": f"{transform.job}/{_below(file)}",
        "inferenceId": inference_id(file),
        "customAttributes": [stamp(transform.package_arn, transform.release_id, "")],
        "inferenceTime": transform.started_at,
    }
    line = {"captureData": sides, "eventMetadata": about, "eventVersion": "0"}
    return Predicted(f"{json.dumps(line)}\n", len(lines))


def inference_id(file: str) -> str:
    """By which a label file names the requests of a file.

    >>> inference_id("requests/2013/03/01/night.csv")
    '2013/03/01/night'
    """
    return _below(file).removesuffix(".csv")


def _side(mode: str, lines: Sequence[str]) -> dict[str, str]:
    return {"observedContentType": "text/csv", "mode": mode, "data": "\n".join(lines), "encoding": "CSV"}


def capture_key(transform: Transform, file: str, *, endpoint: str, variant: str, at: datetime) -> str:
    """The same for the same file of a transform, so that an event that comes twice changes nothing."""
    name = _below(file).replace("/", "-").removesuffix(".csv")
    return f"{Prefix.CAPTURE}{endpoint}/{variant}/{at:%Y/%m/%d/%H}/{transform.job}-{name}.jsonl"


def status_at_end(job_status: str, *, reason: str, predicted: Sequence[str]) -> str:
    """What AWS had no room for was not the files' fault: it is no try of theirs.

    >>> status_at_end("Failed", reason="CapacityError: Unable to provision requested ML compute capacity", predicted=[])
    'not-run'
    """
    status = ENDED[job_status]
    return NOT_RUN if status == FAILED and not predicted and LACKS_ROOM.search(reason) else status


def failure(transform: Transform, past: Sequence[Transform]) -> str:
    """What people are told of a transform that left a file, or has something to say; nothing of another."""
    left = [file for file in transform.files if file not in transform.predicted]
    if not left:
        return f"{transform.job}: {transform.reason}" if transform.reason else ""
    again = set(pending_files(left, past))
    given_up = [file for file in left if file not in again]
    said = [
        f"{transform.job} left {len(left)} of {counted(len(transform.files), 'file')} without a prediction",
        transform.reason or "SageMaker said no reason; see its log",
        f"tried again tomorrow: {_some(sorted(again))}" if again else "",
        f"not tried again, correct them and give them another name: {_some(given_up)}" if given_up else "",
        "see docs/runbooks/batch.md",
    ]
    return "; ".join(part for part in said if part)


def _some(files: Sequence[str], most: int = 10) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(files[:most]) + more
