"""The environment of each function: written by a stack with `to_env`, read by the handler with `from_env`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from domain.names import WAIT_STAGE


class MissingSettingError(KeyError):
    """The function's environment lacks a variable that the handler needs."""


class WrongSettingError(ValueError):
    """A variable of the function's environment has a value that it can never have."""


@dataclass(frozen=True)
class Form:
    """What a text must look like: as a whole it matches `pattern`, which `allowed` says in words."""

    pattern: str
    allowed: str


OF_ITS_DEPLOYMENT = Form(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", "a name that begins with <name>-<environment>")
OwnName = Annotated[str, OF_ITS_DEPLOYMENT]
"""What we name ourselves: the deployment, or something of it."""
Region = Annotated[str, Form(r"[a-z]{2}(-[a-z]+)+-\d", "a region, such as us-east-1")]
ImageDigest = Annotated[str, Form(r"sha256:[0-9a-f]{64}|none", "sha256:<64 hexadecimal digits>, or none")]
TopicArn = Annotated[
    str, Form(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}", "arn:aws:sns:<region>:<account>:<topic>")
]
ReleasePrefix = Annotated[
    str, Form(r"/[a-z][a-z0-9-]*/[a-z][a-z0-9]*/releases/", "/<name>/<environment>/releases/")
]
ImageRepository = Annotated[
    str,
    Form(
        r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.[a-z.]+/[a-z0-9/._-]+",
        "<account>.dkr.ecr.<region>.amazonaws.com/<name>",
    ),
]
KeyArn = Annotated[
    str, Form(r"arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", "arn:aws:kms:<region>:<account>:key/<id>")
]
DeliveryPipeline = Annotated[str, Form(r"[a-z][a-z0-9-]*-delivery", "<name>-delivery")]
DeliveryStage = Annotated[str, Form(rf"[a-z][a-z0-9]*-{WAIT_STAGE}", f"<environment>-{WAIT_STAGE}")]
REMEDY = "the stack sets each from this same class, so deploy the two together"


@dataclass(frozen=True)
class Settings:
    """A function's environment, a variable a field: upper case; a number, a word of a few, or a text of a form."""

    def to_env(self) -> dict[str, str]:
        return {field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read them all at once.

        Raises MissingSettingError naming each variable that is absent; WrongSettingError naming each whose value
        cannot be, with that value and what is allowed.
        """
        missing = [field.name.upper() for field in fields(cls) if field.name.upper() not in env]
        if missing:
            raise MissingSettingError(f"{cls.__name__}: the environment lacks {', '.join(missing)}; {REMEDY}")
        given = {field.name: env[field.name.upper()] for field in fields(cls)}
        kinds = get_type_hints(cls, include_extras=True)
        wrong = [*_misformed(kinds, given), *_of_another(kinds, given)]
        if wrong:
            raise WrongSettingError(f"{cls.__name__}: {'; '.join(wrong)}; {REMEDY}")
        return cls(**{name: _cast(kinds[name], text) for name, text in given.items()})


def _cast(kind: Any, text: str) -> Any:
    return kind(text) if kind in (int, float) else text


def _misformed(kinds: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    for name, text in given.items():
        allowed = _refusal(kinds[name], text)
        if allowed:
            yield f"{name.upper()}: got {text!r}, allowed: {allowed}"


def _refusal(kind: Any, text: str) -> str:
    """What is allowed, in words, if this text is not; else nothing."""
    if kind in (int, float):
        try:
            kind(text)
        except ValueError:
            return "a whole number" if kind is int else "a number"
    if get_origin(kind) is Literal and text not in get_args(kind):
        return ", ".join(get_args(kind))
    form = next((one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Form)), None)
    return form.allowed if form and not re.fullmatch(form.pattern, text) else ""


def _of_another(kinds: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    """A function works on one deployment: all that it is sent to is of that one."""
    own = given.get("deployment")
    for name, text in given.items():
        if own and kinds[name] == OwnName and text != own and not text.startswith(f"{own}-"):
            yield f"{name.upper()}: got {text!r}, allowed: {own} or {own}-..., as DEPLOYMENT says"


@dataclass(frozen=True)
class BuildSnapshotSettings(Settings):
    data_bucket: str
    capture_bucket: str
    ledger_table: str
    kms_key_arn: str
    endpoint_name: OwnName
    label_lookback_days: int


@dataclass(frozen=True)
class CheckDriftSettings(Settings):
    deployment: OwnName
    data_bucket: str
    capture_bucket: str
    artefacts_bucket: str
    ledger_table: str
    kms_key_arn: str
    endpoint_name: OwnName
    false_alarms_per_year: float
    label_delay_days: int
    window_days: int
    min_rows: int


@dataclass(frozen=True)
class ChooseInstanceSettings(Settings):
    region: Region
    estimates: Literal["use", "refuse"]
    explore: Literal["off", "on"]


@dataclass(frozen=True)
class StartTrainingSettings(Settings):
    deployment: OwnName
    pipeline_name: OwnName
    image_digest: ImageDigest
    data_bucket: str
    artefacts_bucket: str
    ledger_table: str
    kms_key_arn: str
    choose_instance_function: OwnName
    memory_gib: float
    minutes_on_one_vcpu: float
    deadline_minutes: float
    max_runtime_minutes: int
    budget_usd_per_month: float


@dataclass(frozen=True)
class SignModelSettings(Settings):
    artefacts_bucket: str
    image_repository: ImageRepository
    signing_key_arn: KeyArn


@dataclass(frozen=True)
class StartTransformSettings(Settings):
    deployment: OwnName
    serving_stack: OwnName
    data_bucket: str
    artefacts_bucket: str
    ledger_table: str
    kms_key_arn: str
    topic_arn: TopicArn
    record_transform_function: OwnName
    lookback_days: int
    instance_count: int


@dataclass(frozen=True)
class RecordTransformSettings(Settings):
    deployment: OwnName
    endpoint_name: OwnName
    data_bucket: str
    capture_bucket: str
    ledger_table: str
    kms_key_arn: str
    topic_arn: TopicArn


@dataclass(frozen=True)
class RetrainSettings(Settings):
    deployment: OwnName
    alarm_name: OwnName
    ledger_table: str
    topic_arn: TopicArn
    start_training_function: OwnName
    mode: Literal["off", "advise", "on"]
    cooldown_days: float
    cooldown_growth: float
    runs_per_day: int
    runs_per_month: int
    useless_runs: int
    new_rows: int


@dataclass(frozen=True)
class ReleaseModelSettings(Settings):
    model_package_group: OwnName
    serving_stack: OwnName
    release_prefix: ReleasePrefix
    ledger_table: str
    choose_instance_function: OwnName
    topic_arn: TopicArn
    artefacts_bucket: str
    image_repository: ImageRepository
    signing_key_arn: KeyArn
    component: Literal["Hosting", "Transform"]
    memory_gib: float
    vcpus: int
    instance_count: int


@dataclass(frozen=True)
class RecordReleaseSettings(Settings):
    deployment: OwnName
    serving_stack: OwnName
    endpoint_name: OwnName
    release_prefix: ReleasePrefix
    ledger_table: str
    topic_arn: TopicArn
    release_model_function: OwnName
    mode: Literal["realtime", "serverless", "batch"]
    min_requests: int
    delivery_pipeline: DeliveryPipeline
    delivery_stage: DeliveryStage


@dataclass(frozen=True)
class ReconcileSettings(Settings):
    deployment: OwnName
    pipeline_name: OwnName
    artefacts_bucket: str
    data_bucket: str
    kms_key_arn: str
    card: str
    ledger_table: str
    topic_arn: TopicArn
    choose_instance_function: OwnName
    record_release_function: OwnName
    approval: Literal["automatic", "person"]
    delivery_pipeline: DeliveryPipeline
    delivery_stage: DeliveryStage
