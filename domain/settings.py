"""The environment of each function: written by a stack with `to_env`, read by the handler with `from_env`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self


class MissingSettingError(KeyError):
    """The function's environment lacks a variable that the handler needs."""


@dataclass(frozen=True)
class Settings:
    """A function's environment, a variable a field: upper case, text, int or float."""

    def to_env(self) -> dict[str, str]:
        return {field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Raises MissingSettingError naming each variable that is absent."""
        missing = [field.name.upper() for field in fields(cls) if field.name.upper() not in env]
        if missing:
            raise MissingSettingError(
                f"{cls.__name__}: the environment lacks {', '.join(missing)}; "
                "the stack sets them from this same class, so deploy the two together"
            )
        cast = {"int": int, "float": float, "str": str}
        return cls(**{field.name: cast[str(field.type)](env[field.name.upper()]) for field in fields(cls)})


@dataclass(frozen=True)
class BuildSnapshotSettings(Settings):
    data_bucket: str
    capture_bucket: str
    ledger_table: str
    kms_key_arn: str
    endpoint_name: str
    label_lookback_days: int


@dataclass(frozen=True)
class CheckDriftSettings(Settings):
    deployment: str
    data_bucket: str
    capture_bucket: str
    artefacts_bucket: str
    ledger_table: str
    kms_key_arn: str
    endpoint_name: str
    false_alarms_per_year: float
    label_delay_days: int
    window_days: int
    min_rows: int


@dataclass(frozen=True)
class ChooseInstanceSettings(Settings):
    region: str
    estimates: str
    explore: str


@dataclass(frozen=True)
class StartTrainingSettings(Settings):
    deployment: str
    pipeline_name: str
    image_digest: str
    data_bucket: str
    artefacts_bucket: str
    ledger_table: str
    kms_key_arn: str
    choose_instance_function: str
    memory_gib: float
    minutes_on_one_vcpu: float
    deadline_minutes: float
    max_runtime_minutes: int
    budget_usd_per_month: float


@dataclass(frozen=True)
class RetrainSettings(Settings):
    deployment: str
    alarm_name: str
    ledger_table: str
    topic_arn: str
    start_training_function: str
    mode: str
    cooldown_days: float


@dataclass(frozen=True)
class ReleaseModelSettings(Settings):
    model_package_group: str
    serving_stack: str
    release_prefix: str
    ledger_table: str
    choose_instance_function: str
    memory_gib: float
    vcpus: int


@dataclass(frozen=True)
class RecordReleaseSettings(Settings):
    deployment: str
    serving_stack: str
    endpoint_name: str
    release_prefix: str
    ledger_table: str
    topic_arn: str
    release_model_function: str
    min_requests: int
    delivery_pipeline: str
    delivery_stage: str


@dataclass(frozen=True)
class ReconcileSettings(Settings):
    deployment: str
    pipeline_name: str
    artefacts_bucket: str
    ledger_table: str
    topic_arn: str
    choose_instance_function: str
    record_release_function: str
    delivery_pipeline: str
    delivery_stage: str
