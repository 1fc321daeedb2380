"""Every name on which two sides must agree: one definition, used by stacks, handlers and the command line."""

from __future__ import annotations

from dataclasses import dataclass

METRIC_NAMESPACE = "Tideline"
DEPLOYMENT_DIMENSION = "Deployment"
VARIANT = "live"
SMOKE_INFERENCE_ID = "smoke"
"""Of the requests by which a release is proved: rows that no table has, and no traffic."""
RELEASE_SLOTS = 3
"""Instance types that a release record can hold, in order of preference."""
NO_RELEASE = "none"
RELEASE_PARAMETER, BEFORE_PARAMETER = "Release", "ReleaseBefore"
"""Serving's: the key of the record that it runs; from two instances or where they scale, the id of the one before."""
SCALING_PARAMETER, SCALING_ON, SCALING_OFF = "Scaling", "on", "off"
"""Serving's, where instances scale: is the endpoint registered for it? `off` only while instance types change."""
FEWEST_PARAMETER = "FewestInstances"
"""Serving's, where instances scale: the fewest as the last release had it. A deploy of another keeps no count."""
PROOF_PARAMETER = "Proof"
"""Serving's: manifest, signature and public key of the model that it runs, each `-` where it was never signed."""
MODE_PARAMETER = "HostingMode"
"""Serving's: it allows the one mode of its template, so CloudFormation refuses to change a live one into another."""
MODEL_OUTPUT = "ModelName"
"""Serving's, where it has no endpoint: the model that is live."""
FILLER = "-"


WAIT_STAGE, WAIT_ACTION = "Wait", "Release"
"""The approval action of the delivery pipeline that `record_release` and `reconcile` answer."""


ACCOUNT_VARIABLE = "TIDELINE_ACCOUNT"
"""In the environment of each function: the account whose buckets are ours."""
WITHOUT_WHEELS = "TIDELINE_WITHOUT_WHEELS"
"""In the environment of a synth: code without the wheels that it needs, for a local account that has them itself."""


class Metric:
    """What the code publishes under METRIC_NAMESPACE, each with the one dimension DEPLOYMENT_DIMENSION."""

    INVALID_DATA = "InvalidData"
    TRAFFIC_EVIDENCE = "TrafficEvidence"
    LOSS_EVIDENCE = "LossEvidence"
    LOSS_RATIO = "LossRatio"
    LABELLED_LOSS = "LabelledLoss"
    LABELLED_ROWS = "LabelledRows"
    MAX_PSI = "MaxPsi"
    CAPTURED_ROWS = "CapturedRows"
    SKIPPED_LINES = "SkippedLines"


METRIC_UNITS = {
    Metric.INVALID_DATA: "Count",
    Metric.TRAFFIC_EVIDENCE: "None",
    Metric.LOSS_EVIDENCE: "None",
    Metric.LOSS_RATIO: "None",
    Metric.LABELLED_LOSS: "None",
    Metric.LABELLED_ROWS: "Count",
    Metric.MAX_PSI: "None",
    Metric.CAPTURED_ROWS: "Count",
    Metric.SKIPPED_LINES: "Count",
}


DECIDED = "decided"
"""The message of each decision in the logs, beside its kind, subject, rule, verdict and why."""


class ServerMetric:
    """What the endpoint's server publishes: while two versions are compared sums over rows; its own capture."""

    PREDICTION_SUM = "PredictionSum"
    PREDICTION_ROWS = "PredictionRows"
    CAPTURED = "Captured"
    """1 or 0 of each answer that was to be captured, so the mean is the share."""


ENDPOINT_DIMENSION = "Endpoint"
RELEASE_DIMENSION = "Release"
ENDPOINT_RESOURCE = "Endpoint"
"""The logical id of the endpoint in Serving: what a stuck rollback may have to leave out."""
ROLLBACK_ALARMS = ("latency", "5xx", "shift")
"""What a release is rolled back for; each alarm's name ends in `-rollback-<one of these>`."""


class Prefix:
    """Where things lie in the buckets. No leading slash; each ends in one."""

    HISTORY = "history/"
    """Data bucket: the first table, put there by people."""
    LABELS = "labels/"
    """Data bucket: label files, labels/yyyy/mm/dd/*.jsonl, put there by people or systems."""
    REQUESTS = "requests/"
    """Data bucket: what a batch is to predict, requests/yyyy/mm/dd/*.csv, put there by people or systems."""
    PREDICTIONS = "predictions/"
    """Data bucket: what a transform wrote, predictions/<job>/."""
    TRANSFORMS = "transforms/"
    """Artefacts bucket: a list a transform of the files that it predicts."""
    PARTS = "snapshots/parts/"
    SNAPSHOTS = "snapshots/"
    RUNS = "runs/"
    """Artefacts bucket: all that one training run reads and writes, runs/<run id>/."""
    MONITOR = "monitor/"
    """Artefacts bucket: one report a day of check_drift."""
    CAPTURE = "capture/"


@dataclass(frozen=True)
class Names:
    """The physical names of one deployment.

    >>> Names("tideline", "dev").endpoint
    'tideline-dev'
    >>> Names("tideline", "dev").release_parameter("000042")
    '/tideline/dev/releases/000042'
    """

    name: str
    environment: str

    @property
    def deployment(self) -> str:
        return f"{self.name}-{self.environment}"

    @property
    def endpoint(self) -> str:
        return self.deployment

    @property
    def model_package_group(self) -> str:
        return self.deployment

    @property
    def pipeline(self) -> str:
        return f"{self.deployment}-train"

    @property
    def image_repository(self) -> str:
        return self.deployment

    @property
    def serving_deploy_role(self) -> str:
        return f"{self.deployment}-serving-deploy"

    @property
    def signing_role(self) -> str:
        return f"{self.deployment}-sign-model"

    @property
    def dashboard(self) -> str:
        return self.deployment

    @property
    def release_prefix(self) -> str:
        return f"/{self.name}/{self.environment}/releases/"

    def release_parameter(self, release_id: str) -> str:
        return f"{self.release_prefix}{release_id}"

    def stack(self, part: str) -> str:
        return f"{self.deployment}-{part}"

    def function(self, handler: str) -> str:
        """The name of the function that runs `lambdas/<handler>.py`."""
        return f"{self.deployment}-{handler.replace('_', '-')}"

    @property
    def delivery_pipeline(self) -> str:
        return delivery_name(self.name)

    def delivery_stage(self, step: str) -> str:
        """A stage of the delivery pipeline for this environment.

        >>> Names("tideline", "dev").delivery_stage("Wait")
        'dev-Wait'
        """
        return f"{self.environment}-{step}"


def delivery_name(name: str) -> str:
    """The delivery's stack, pipeline and alias: one for all environments of a name."""
    return f"{name}-delivery"
