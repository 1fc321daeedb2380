"""Each variable of each function has the one value that the configuration and the other stacks give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from config.schema import Config
from domain.model_card import Card
from domain.names import WAIT_STAGE
from domain.settings import Settings
from rehearsal.engine.cloudformation.deployed import Resource
from rehearsal.scenarios.promises.deployed import Deployed

SHOWN_BY_A_RUN = ("image_digest",)
"""A parameter of the stack, not of the configuration: a run under another image than was pushed does not start."""
OF_ONE_FUNCTION = {
    ("ReleaseModelSettings", "memory_gib"): "serving_memory_gib",
    ("RecordReleaseSettings", "mode"): "serving_mode",
}
"""Variables of one name that mean different things in different functions."""

OF_A_BATCH = ("start_transform", "record_transform")


def wrong(deployed: Deployed) -> Iterator[str]:
    wanted = values(deployed)
    functions = {one.id: one for one in deployed.of_type("AWS::Lambda::Function")}
    for kind in kinds(deployed.config):
        name = deployed.names.function(verb(kind))
        if name in functions:
            yield from _wrong_in(functions[name], kind, wanted)
        else:
            yield f"there is no function {name}"


def kinds(config: Config) -> Iterator[type[Settings]]:
    """Those of the functions that this configuration deploys."""
    for kind in Settings.__subclasses__():
        is_of_a_job = kind.__module__ != Settings.__module__
        if not is_of_a_job and not (config.serving.has_endpoint and verb(kind) in OF_A_BATCH):
            yield kind


def verb(kind: type[Settings]) -> str:
    """CheckDriftSettings belong to `check_drift`."""
    words = kind.__name__.removesuffix("Settings")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in words).lstrip("_")


def _wrong_in(function: Resource, kind: type[Settings], wanted: Mapping[str, Any]) -> Iterator[str]:
    given = function.properties.get("Environment", {}).get("Variables", {})
    expected = {
        field.name: wanted.get(OF_ONE_FUNCTION.get((kind.__name__, field.name), field.name), UNKNOWN)
        for field in fields(kind)
        if field.name not in SHOWN_BY_A_RUN
    }
    for name, value in expected.items():
        if value is UNKNOWN:
            yield f"{function.id}: nobody says what {name.upper()} must be; say it in {__name__}"
        elif given.get(name.upper()) != str(value):
            yield f"{function.id}: {name.upper()} is {given.get(name.upper())!r}, not {str(value)!r}"


UNKNOWN = object()


def values(deployed: Deployed) -> dict[str, Any]:
    """What every setting must be, by its name."""
    config, names = deployed.config, deployed.names
    training, monitoring, serving = config.training, config.monitoring, config.serving
    configured = {
        **{name: getattr(training, name) for name in ("memory_gib", "minutes_on_one_vcpu", "explore")},
        **{name: getattr(training, name) for name in ("deadline_minutes", "max_runtime_minutes")},
        **{name: getattr(monitoring, name) for name in ("false_alarms_per_year", "label_delay_days")},
        **{name: getattr(monitoring, name) for name in ("window_days", "min_rows", "label_lookback_days")},
        **{name: getattr(config, name) for name in ("approval", "cooldown_days", "budget_usd_per_month")},
        **config.governor.model_dump(),
        "mode": config.retraining,
        "serving_mode": serving.mode,
        "component": serving.component,
        "instance_count": serving.instance_count,
        "lookback_days": serving.batch.lookback_days,
        "card": Card(**config.card.model_dump()).to_text(),
        "estimates": config.prices.estimates,
        "serving_memory_gib": serving.memory_gib,
        "vcpus": serving.vcpus,
        "min_requests": serving.release.min_requests if serving.has_endpoint else 0,
        "region": config.region,
    }
    named = {
        "deployment": names.deployment,
        "endpoint_name": names.endpoint,
        "pipeline_name": names.pipeline,
        "model_package_group": names.model_package_group,
        "release_prefix": names.release_prefix,
        "serving_stack": names.stack("serving"),
        "alarm_name": f"{names.deployment}-loss",
        "delivery_pipeline": names.delivery_pipeline,
        "delivery_stage": names.delivery_stage(WAIT_STAGE),
        **{f"{verb(kind)}_function": names.function(verb(kind)) for kind in Settings.__subclasses__()},
    }
    return {**configured, **named, **_physical(deployed)}


def _physical(deployed: Deployed) -> dict[str, Any]:
    """What Storage and Monitoring made, or what was brought in its place."""
    bring = deployed.config.bring
    found = {
        "capture_bucket": deployed.of_type("AWS::S3::Bucket", "Capture", "-storage"),
        "artefacts_bucket": deployed.of_type("AWS::S3::Bucket", "Artefacts", "-storage"),
        "data_bucket": deployed.of_type("AWS::S3::Bucket", "Data", "-storage"),
        "ledger_table": deployed.of_type("AWS::DynamoDB::Table", "Ledger", "-storage"),
        "topic_arn": deployed.of_type("AWS::SNS::Topic", "People", "-monitoring"),
    }
    made = {name: one.id for name, resources in found.items() for one in resources}
    brought = {"data_bucket": bring.data_bucket_name} if bring.data_bucket_name else {}
    region, account = deployed.account.region, deployed.account.id
    keys = {
        name: next((one.id for one in deployed.of_type("AWS::KMS::Key", name, "-storage")), "")
        for name in ("Key", "SigningKey")
    }
    here = f"arn:aws:kms:{region}:{account}:key/"
    return {
        **made,
        **brought,
        "kms_key_arn": bring.kms_key_arn or f"{here}{keys['Key']}",
        "signing_key_arn": f"{here}{keys['SigningKey']}",
        "image_repository": f"{account}.dkr.ecr.{region}.amazonaws.com/{deployed.names.image_repository}",
    }
