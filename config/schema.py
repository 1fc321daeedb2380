"""The typed configuration of one environment. Errors name the file, the key, what was got and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from config.modes import Batch, Mode, Serverless, refusals
from config.scaling import Scaling
from config.trust import Bias, Card, Checks, Decision, Explain, Gate
from config.values import BoundaryArn, Email, Name, Part, Region, on_or_off

ROOT = Path(__file__).resolve().parents[1]
PRICES = ROOT / "config" / "prices"
DELIVERY_FILE = "delivery.yaml"
"""The one file beside the environments' that is none: see config/delivery.py."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is for the person who wrote it."""


class Training(Part):
    """What a training run needs and may cost."""

    memory_gib: Annotated[float, Field(gt=0, le=24576)] = 4
    """Peak memory of the training job."""
    minutes_on_one_vcpu: Annotated[float, Field(gt=0)] = 10
    """How long the job would take on one vCPU; larger instances are assumed faster by vCPU ** 0.7."""
    deadline_minutes: Annotated[float, Field(gt=0)] = 60
    """An instance that takes longer, as expected or in more than one of twenty learned runs, is refused."""
    max_runtime_minutes: Annotated[int, Field(gt=0, le=7200)] = 60
    """SageMaker stops the job after this; its price is reserved before the start."""
    explore: Annotated[Literal["off", "on"], BeforeValidator(on_or_off)] = "off"
    """`on`: a run may try another instance type that may be cheaper for all later ones."""


class Release(Part):
    """How a release is shifted in and watched; above a limit SageMaker goes back to the old model by itself."""

    shift: Literal["canary", "linear"] = "canary"
    """From two instances up; one instance is released all at once and watched."""
    step_percent: Annotated[int, Field(ge=10, le=50)] = 10
    """Share of the fleet that takes traffic first (canary) or more at each step (linear), in whole instances."""
    bake_minutes: Annotated[int, Field(ge=4, le=60)] = 10
    """How long each step is watched."""
    max_latency_ms: Annotated[float, Field(gt=0)] = 250
    """Rolled back if one request in ten takes longer; the container's time alone."""
    max_error_percent: Annotated[float, Field(gt=0, lt=100)] = 1
    """Rolled back if more answers are 5xx."""
    max_prediction_shift: Annotated[float, Field(gt=0)] = 0.5
    """Rolled back if old and new mean prediction differ by more than this share."""
    min_requests: Annotated[int, Field(ge=1)] = 10
    """A release that answered fewer while it was watched is live, but proves nothing yet."""


class Serving(Part):
    mode: Mode = "realtime"
    """An endpoint on instances, one without, or a transform of the files that came, once a day."""
    memory_gib: Annotated[float, Field(gt=0)] = 4
    """What an instance of the endpoint or of a transform must have, at least."""
    vcpus: Annotated[int, Field(ge=1)] = 2
    """And its vCPUs, at least."""
    instance_count: Annotated[int, Field(ge=1)] = 1
    """Instances behind the endpoint, day and night, or of a transform, while it runs; with `scaling` the fewest, and
    those of the first release."""
    capture_percent: Annotated[int, Field(ge=1, le=100)] = 100
    """Share of requests that is captured; what is not captured gets no label."""
    release: Release = Release()
    scaling: Scaling | None = None
    """`{max_instances, invocations_per_instance, ...}`: instances come and go with the traffic."""
    batch: Batch = Batch()
    serverless: Serverless = Serverless()

    @property
    def has_endpoint(self) -> bool:
        return self.mode != "batch"

    @property
    def standing_instances(self) -> int:
        """Those that are billed day and night."""
        return self.instance_count if self.mode == "realtime" else 0

    @property
    def component(self) -> Literal["Hosting", "Transform"]:
        """SageMaker's word for what the instances do, as price tables and quotas have it."""
        return "Hosting" if self.has_endpoint else "Transform"

    @model_validator(mode="after")
    def _no_key_without_use(self) -> Serving:
        if refused := refusals(self.mode, self.model_fields_set):
            raise ValueError("; ".join(refused))
        return self

    @property
    def most_instances(self) -> int:
        return self.scaling.max_instances if self.scaling else self.instance_count

    @model_validator(mode="after")
    def _has_room_to_scale(self) -> Serving:
        if self.scaling and self.scaling.max_instances <= self.instance_count:
            raise ValueError(
                f"scaling.max_instances must be above instance_count ({self.instance_count}), the fewest instances; "
                f"got {self.scaling.max_instances}; raise it, or leave scaling out"
            )
        return self


class Governor(Part):
    """What bounds the runs for alarms, whatever an alarm says."""

    cooldown_growth: Annotated[float, Field(ge=1, le=10)] = 2
    """The cooldown is so many times longer for each useless run in a row: one without a model that could serve."""
    runs_per_day: Annotated[int, Field(ge=1)] = 1
    """Most runs for alarms within 24 hours."""
    runs_per_month: Annotated[int, Field(ge=1)] = 4
    """Most runs for alarms within 30 days."""
    useless_runs: Annotated[int, Field(ge=1)] = 3
    """After so many useless runs in a row no alarm starts another until a new model is live; people are told."""
    new_rows: Annotated[int, Field(ge=0)] = 100
    """An alarm starts no run on fewer rows than these beyond those of the last run that succeeded."""


class Prices(Part):
    estimates: Literal["use", "refuse"] = "use"
    """Whether a type may be chosen whose price is only estimated from EC2's."""


class Monitoring(Part):
    false_alarms_per_year: Annotated[float, Field(gt=0, le=366)] = 1
    """How many alarms a year without a change are accepted, on loss and on traffic each; thresholds follow from it."""
    min_rows: Annotated[int, Field(ge=1)] = 100
    """Labelled rows that a day needs to be judged; one with fewer waits for the next. Captured rows for its traffic."""
    label_delay_days: Annotated[int, Field(ge=0, le=60)] = 1
    """A day is judged so many days later; labels that come after that are counted then."""
    window_days: Annotated[int, Field(ge=1, le=90)] = 14
    """Days of labels in the measured loss, which informs and alarms nobody."""
    check_hour_utc: Annotated[int, Field(ge=1, le=23)] = 13
    """When the daily check runs."""
    label_lookback_days: Annotated[int, Field(ge=1, le=60)] = 7
    """Label files under an older day than this are not looked for."""

    @model_validator(mode="after")
    def _judged_while_labels_are_looked_for(self) -> Monitoring:
        if self.label_delay_days > self.label_lookback_days:
            raise ValueError(
                f"label_delay_days must be label_lookback_days ({self.label_lookback_days}) or less: "
                "labels that come later than that are not looked for"
            )
        return self


class Bring(Part):
    """Resources that exist already and are used instead of new ones."""

    kms_key_arn: Annotated[str, Field(pattern=r"^arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+$")] | None = None
    """Your key; the policy that it needs is in `stacks/key.py`."""
    data_bucket_name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = None
    """Your data bucket, of the same account; it must keep versions."""
    permissions_boundary_arn: BoundaryArn | None = None
    """On every role."""


class Config(Part):
    """One environment of one deployment. One deployment keeps one model."""

    name: Name
    """3 to 20 characters that prefix all that is made, so that many deployments live side by side in one account."""
    environment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,9}$")]
    """`dev`, `prod`, ...: one file each."""
    region: Region = "us-east-1"
    """It must have a price table in `config/prices/`."""
    approval: Literal["automatic", "person"] = "person"
    """Who approves a model that passed the gate."""
    retraining: Annotated[Literal["off", "advise", "on"], BeforeValidator(on_or_off)] = "advise"
    """What an alarm does: nothing, tell people what it would do, or start a training run."""
    cooldown_days: Annotated[float, Field(ge=0)] = 14
    """No second retrain within this time after the last one started."""
    governor: Governor = Governor()
    budget_usd_per_month: Annotated[float, Field(gt=0)] = 25
    """Ceiling of all training runs of a calendar month (UTC), reserved before each start."""
    notify_email: Email | None = None
    """Who is told."""
    log_retention_days: Literal[7, 14, 30, 60, 90, 180, 365] = 90
    """Of the functions' logs."""
    training: Training = Training()
    checks: Checks = Checks()
    gate: Gate = Gate()
    decision: Decision = Decision()
    bias: Bias = Bias()
    explain: Explain = Explain()
    card: Card = Card()
    serving: Serving = Serving()
    monitoring: Monitoring = Monitoring()
    prices: Prices = Prices()
    bring: Bring = Bring()


def sentence(path: Path, error: Any, keys: str = "config/schema.py") -> str:
    """One error of a file, for the person who wrote it; `keys` is where the keys stand that there are."""
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{path}: {where}: unknown key; see {keys} for the keys there are"
    if error["type"] == "missing":
        return f"{path}: {where}: missing; this key has no default"
    allowed = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{path}: {where}: got {error['input']!r}; {allowed[0].lower()}{allowed[1:]}"


def read_yaml(path: Path) -> object:
    """What a file says. Raises ConfigError if it is not there or no YAML."""
    try:
        return yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; copy config/dev.yaml and change it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error


def load(path: Path) -> Config:
    """Read one environment's file.

    Raises ConfigError naming each key that is wrong, what was got and what is allowed.
    """
    try:
        config = Config.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigError("\n".join(sentence(path, one) for one in error.errors())) from None
    if not (PRICES / f"{config.region}.csv").exists():
        known = ", ".join(sorted(file.stem for file in PRICES.glob("*.csv")))
        raise ConfigError(
            f"{path}: region: got {config.region!r}, which has no price table; allowed: {known}; "
            f"or add config/prices/{config.region}.csv"
        )
    return config


def load_environments(directory: Path = ROOT / "config") -> list[Config]:
    """Every environment: one YAML file each, in the order of their names.

    Raises ConfigError if two files state the same environment of the same name.
    """
    found: dict[tuple[str, str], Path] = {}
    configs = []
    for path in sorted(set(directory.glob("*.yaml")) - {directory / DELIVERY_FILE}):
        config = load(path)
        first = found.setdefault((config.name, config.environment), path)
        if first != path:
            raise ConfigError(
                f"{path}: environment: got {config.environment!r}, which {first} states too; "
                "allowed: one file for each name and environment; change one of them"
            )
        configs.append(config)
    return configs
