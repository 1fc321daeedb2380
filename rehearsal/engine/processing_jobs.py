"""A processing job: inputs in, the container's own entrypoint, outputs out at the end of the job."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.engine import containers
from rehearsal.engine.account import Unsupported
from rehearsal.engine.jobs import FAILURE_CHARACTERS, Job, Outcome


def check(request: dict[str, Any]) -> None:
    """Stop at what is not built."""
    missing = {"more than one instance": request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] > 1}
    for item in request.get("ProcessingInputs", []):
        source, where = item.get("S3Input", {}), f"input {item['InputName']}: "
        missing[where + "a source that is not S3"] = not source
        missing[where + "S3InputMode Pipe"] = source.get("S3InputMode") == "Pipe"
        missing[where + "compression"] = source.get("S3CompressionType", "None") != "None"
    for item in _outputs(request):
        target, where = item.get("S3Output", {}), f"output {item['OutputName']}: "
        missing[where + "a target that is not S3"] = not target
        missing[where + "S3UploadMode Continuous"] = target.get("S3UploadMode") == "Continuous"
    for what, is_used in missing.items():
        if is_used:
            raise Unsupported(
                f"Processing job {request['ProcessingJobName']}: {what}; "
                "build it in rehearsal/engine/processing_jobs.py"
            )


def _outputs(request: dict[str, Any]) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return outputs


def carry_out(job: Job) -> Outcome:
    """Download, run, upload: what AWS does from InProgress to Completed."""
    request = job.request
    specification = request["AppSpecification"]
    image = job.pull(specification["ImageUri"])
    _lay_out(job)
    transfer = job.transfer()
    for item in request.get("ProcessingInputs", []):
        source = item["S3Input"]
        transfer.download(source["S3Uri"], source["S3DataType"], job.local(source["LocalPath"]))
    entrypoint = specification.get("ContainerEntrypoint") or image.config.entrypoint
    arguments = specification.get("ContainerArguments", [])
    if not arguments and "ContainerEntrypoint" not in specification:
        arguments = image.config.command
    ended = job.run(entrypoint, arguments, image, {})
    if ended.code == 0:
        key = request.get("ProcessingOutputConfig", {}).get("KmsKeyId")
        for item in _outputs(request):
            target = item["S3Output"]
            transfer.upload(job.local(target["LocalPath"]), target["S3Uri"], key)
    return _outcome(job, ended)


def _lay_out(job: Job) -> None:
    """/opt/ml as documented in "Build Your Own Processing Container (Advanced Scenario)"."""
    config = job.opt_ml / "config"
    for directory in (config, job.opt_ml / "output"):
        directory.mkdir(parents=True, exist_ok=True)
    for item in _outputs(job.request):
        job.local(item["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
    arn = {"ProcessingJobArn": job.record["ProcessingJobArn"]}
    described = {**arn, **{key: value for key, value in job.request.items() if key != "Tags"}}
    (config / "processingjobconfig.json").write_text(json.dumps(described, sort_keys=True))
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"]}
    (config / "resourceconfig.json").write_text(json.dumps(hosts))


def _outcome(job: Job, ended: containers.Exit) -> Outcome:
    file = job.opt_ml / "output/message"
    facts = {"ExitMessage": file.read_text()[:FAILURE_CHARACTERS]} if file.is_file() else {}
    if ended.timed_out:
        return Outcome("Stopped", ended.seconds, None, facts)
    if ended.code == 0:
        return Outcome("Completed", ended.seconds, None, facts)
    said = facts.get("ExitMessage", "See job logs for more information")
    return Outcome("Failed", ended.seconds, f"AlgorithmError: {said}, exit code: {ended.code}", facts)
