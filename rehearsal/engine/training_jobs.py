"""A training job: channels in, `docker run IMAGE train`, model.tar.gz and metrics out."""

from __future__ import annotations

import json
import re
from typing import Any

from rehearsal.engine import containers, images
from rehearsal.engine.account import Unsupported
from rehearsal.engine.jobs import FAILURE_CHARACTERS, Job, Outcome
from rehearsal.engine.moto_seams import sagemaker as seam
from rehearsal.engine.s3_transfer import files_in, tar_gz


def check(request: dict[str, Any]) -> None:
    """The rules of CreateTrainingJob that its shape does not carry."""
    resources, stopping = request["ResourceConfig"], request.get("StoppingCondition", {})
    preferred = [item["InstanceType"] for item in resources.get("InstancePreferences", [])]
    spot = bool(request.get("EnableManagedSpotTraining"))
    longest_wait = stopping.get("MaxWaitTimeInSeconds")
    broken = [
        (
            bool(preferred) == ("InstanceType" in resources),
            "ResourceConfig needs exactly one of InstanceType and InstancePreferences",
        ),
        (len(set(preferred)) < len(preferred), f"InstancePreferences names a type twice: {preferred}"),
        (bool(preferred) and spot, "InstancePreferences cannot be used with EnableManagedSpotTraining"),
        (
            (longest_wait is not None) != spot,
            "MaxWaitTimeInSeconds is required with EnableManagedSpotTraining, and not allowed without it",
        ),
        (
            longest_wait is not None and longest_wait < stopping.get("MaxRuntimeInSeconds", 86_400),
            "MaxWaitTimeInSeconds must be at least MaxRuntimeInSeconds",
        ),
    ]
    for is_broken, message in broken:
        if is_broken:
            raise seam.error("ValidationException", message)
    _refuse_what_is_not_built(request)


def _refuse_what_is_not_built(request: dict[str, Any]) -> None:
    algorithm, resources = request["AlgorithmSpecification"], request["ResourceConfig"]
    preferences = resources.get("InstancePreferences", [])
    counts = [resources.get("InstanceCount", 1), *(item.get("InstanceCount", 1) for item in preferences)]
    missing = {
        "an algorithm without TrainingImage": "TrainingImage" not in algorithm,
        "TrainingInputMode Pipe": algorithm["TrainingInputMode"] == "Pipe",
        "more than one instance": max(counts) > 1 or "InstanceGroups" in resources,
    }
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource", {})
        where = f"channel {channel['ChannelName']}: "
        missing[where + "a source that is not S3"] = not source
        missing[where + "InputMode Pipe"] = channel.get("InputMode") == "Pipe"
        missing[where + "compression"] = channel.get("CompressionType", "None") != "None"
        missing[where + "an augmented manifest"] = source.get("S3DataType") == "AugmentedManifestFile"
    for what, is_used in missing.items():
        if is_used:
            raise Unsupported(
                f"Training job {request['TrainingJobName']}: {what}; build it in rehearsal/engine/training_jobs.py"
            )


def carry_out(job: Job) -> Outcome:
    """Download, train, upload: what AWS does from Starting to Completed."""
    request = job.request
    job.record["ResourceConfig"] = _with_selected_type(request["ResourceConfig"])
    image = job.pull(request["AlgorithmSpecification"]["TrainingImage"])
    _lay_out(job)
    transfer = job.transfer()
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"]["S3DataSource"]
        target = job.opt_ml / "input/data" / channel["ChannelName"]
        transfer.download(source["S3Uri"], source["S3DataType"], target)
    ended = job.run(*_command(request, image), image, _environment(job))
    uploaded = _upload(job, succeeded=ended.code == 0 or ended.timed_out)
    return _outcome(job, ended, uploaded)


def _command(request: dict[str, Any], image: images.Image) -> tuple[list[str], list[str]]:
    """`docker run IMAGE train`, unless the request names its own entrypoint."""
    algorithm = request["AlgorithmSpecification"]
    entrypoint = algorithm.get("ContainerEntrypoint")
    if entrypoint:
        return entrypoint, algorithm.get("ContainerArguments", [])
    return image.config.entrypoint, algorithm.get("ContainerArguments", ["train"])


def _environment(job: Job) -> dict[str, str]:
    return {"TRAINING_JOB_NAME": job.name, "TRAINING_JOB_ARN": job.record["TrainingJobArn"]}


def _with_selected_type(resources: dict[str, Any]) -> dict[str, Any]:
    """The first preference always has capacity here."""
    preferences = resources.get("InstancePreferences", [])
    chosen = preferences[0]["InstanceType"] if preferences else resources["InstanceType"]
    return {**resources, "SelectedInstanceType": chosen, "SelectedInstanceCount": 1}


def _lay_out(job: Job) -> None:
    """/opt/ml as documented in "How Amazon SageMaker AI provides training information"."""
    for name in ("input/config", "input/data", "model", "output/data", "checkpoints"):
        (job.opt_ml / name).mkdir(parents=True, exist_ok=True)
    request = job.request
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get(
                "InputMode", request["AlgorithmSpecification"]["TrainingInputMode"]
            ),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
        for channel in request.get("InputDataConfig", [])
    }
    documents = {
        "hyperparameters.json": request.get("HyperParameters", {}),
        "inputdataconfig.json": channels,
        "resourceconfig.json": {
            "current_host": "algo-1",
            "current_instance_type": job.record["ResourceConfig"]["SelectedInstanceType"],
            "hosts": ["algo-1"],
            "network_interface_name": "eth0",
        },
    }
    for name, document in documents.items():
        (job.opt_ml / "input/config" / name).write_text(json.dumps(document, sort_keys=True))


def _upload(job: Job, *, succeeded: bool) -> dict[str, Any]:
    """model.tar.gz of a job that succeeded, output.tar.gz of any that wrote to output/data."""
    output = job.request["OutputDataConfig"]
    folder = f"{output['S3OutputPath'].rstrip('/')}/{job.name}/output"
    transfer, key = job.transfer(), output.get("KmsKeyId")
    checkpoints = job.request.get("CheckpointConfig")
    if checkpoints:
        local = job.local(checkpoints.get("LocalPath", "/opt/ml/checkpoints"))
        transfer.upload(local, checkpoints["S3Uri"], key)
    if files_in(job.opt_ml / "output/data"):
        transfer.write(f"{folder}/output.tar.gz", tar_gz(job.opt_ml / "output/data"), key)
    if not succeeded:
        return {}
    transfer.write(f"{folder}/model.tar.gz", tar_gz(job.opt_ml / "model"), key)
    return {"ModelArtifacts": {"S3ModelArtifacts": f"{folder}/model.tar.gz"}}


def _outcome(job: Job, ended: containers.Exit, uploaded: dict[str, Any]) -> Outcome:
    facts = {**uploaded, "FinalMetricDataList": _metrics(job, ended.output)}
    if ended.timed_out:
        facts["SecondaryStatus"] = "MaxRuntimeExceeded"
        return Outcome("Stopped", ended.seconds, None, facts)
    if ended.code == 0:
        facts["SecondaryStatus"] = "Completed"
        return Outcome("Completed", ended.seconds, None, facts)
    facts["SecondaryStatus"] = "Failed"
    return Outcome("Failed", ended.seconds, f"AlgorithmError: {failure(job)}, exit code: {ended.code}", facts)


def failure(job: Job) -> str:
    """What the container wrote to /opt/ml/output/failure."""
    file = job.opt_ml / "output/failure"
    return file.read_text(errors="replace")[: FAILURE_CHARACTERS - 100] if file.is_file() else ""


def _metrics(job: Job, output: str) -> list[dict[str, Any]]:
    """The last value that each metric's regular expression found in the output."""
    found = []
    for definition in job.request["AlgorithmSpecification"].get("MetricDefinitions", []):
        values = re.findall(definition["Regex"], output)
        if values:
            value = values[-1] if isinstance(values[-1], str) else values[-1][0]
            found.append(
                {
                    "MetricName": definition["Name"],
                    "Value": float(value),
                    "Timestamp": job.account.clock.now(),
                }
            )
    return found
