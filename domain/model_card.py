"""A SageMaker model card of what an evaluation found, for those who have to answer for the model.

It follows AWS's model card schema; a text that is too long for it is cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from domain.releases import model_stamp

Body = Mapping[str, Any]
NAME, SHORT, LONG, OBSERVATION, CUSTOM = 63, 1024, 2048, 2096, 1024
"""How long AWS lets a text be."""
METRICS = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
LOOKED_AT = 5
"""Features that are named as those the answers hang on."""


@dataclass(frozen=True)
class Card:
    """What only people know of a model; `card` in the configuration."""

    owner: str = ""
    purpose: str = ""
    intended_uses: str = ""
    risk_rating: str = "Unknown"
    risk_reason: str = ""
    caveats: str = ""

    def to_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, as ARNs and URIs."""

    deployment: str
    package_arn: str
    training_arn: str
    evaluation_arn: str
    model_data: str
    image: str
    snapshot_uri: str
    cost_usd: float


def model_card(card: Card, origin: Origin, report: Body, bias: Body) -> dict[str, Any]:
    """The content of a model card; `report` and `bias` are what evaluate wrote."""
    return {
        "model_overview": {
            "model_creator": (card.owner or origin.deployment)[:SHORT],
            "model_artifact": [origin.model_data],
        },
        "intended_uses": _intended_uses(card, report),
        "training_details": _training(origin, report),
        "evaluation_details": [_evaluation(origin, report, bias)],
        "additional_information": _additional(card, origin, report, bias),
    }


def _present(**texts: str) -> dict[str, str]:
    return {name: text[:LONG] for name, text in texts.items() if text}


def _intended_uses(card: Card, report: Body) -> dict[str, str]:
    schema = report["schema"]
    rises = sorted(report["importance"], key=lambda one: -one["loss_increase"])[:LOOKED_AT]
    looked_at = ", ".join(f"{one['feature']} (+{one['loss_increase']:.0%})" for one in rises)
    return _present(
        purpose_of_model=card.purpose or f"Predicts {schema['target']} ({schema['task']})",
        intended_uses=card.intended_uses,
        factors_affecting_model_efficiency=f"The loss rises most where these cannot be told: {looked_at}",
        risk_rating=card.risk_rating,
        explanations_for_risk_rating=card.risk_reason,
    )


def _training(origin: Origin, report: Body) -> dict[str, Any]:
    plan = report["plan"]
    settings = {
        "task": report["schema"]["task"],
        "features": len(report["schema"]["features"]),
        "instance_type": plan["training_instance_type"],
        "gate_margin": report["gate"].get("margin"),
        "held_out_days": report["days"],
    }
    observed = (
        f"Trained because of {plan['cause']}: {plan['incident']}; {plan.get('snapshot_rows', 0)} rows in the snapshot, "
        f"of which the last {report['days']} days were held out"
    )
    return {
        "training_observations": observed[:SHORT],
        "training_job_details": {
            "training_arn": origin.training_arn,
            "training_datasets": [origin.snapshot_uri],
            "training_environment": {"container_image": [origin.image]},
            "user_provided_hyper_parameters": [
                {"name": name, "value": str(value)[:255]} for name, value in settings.items()
            ],
        },
    }


def _evaluation(origin: Origin, report: Body, bias: Body) -> dict[str, Any]:
    verdict = "passed" if report["gate"]["passed"] else "was refused at"
    groups = [
        ("loss", [_number(name, value) for name, value in report["loss"].items() if value is not None]),
        ("quality", list(_quality(report))),
        ("importance", [_number(one["feature"], one["loss_increase"]) for one in report["importance"]]),
        ("slices", [_number(f"{s['column']}={s['value']}", s["relative_difference"]) for s in report["slices"]
                    if s.get("relative_difference") is not None]),
        ("bias", list(_bias(bias))),
    ]  # fmt: skip
    return {
        "name": "held-out days",
        "evaluation_observation": f"It {verdict} the gate: {report['gate']['reason']}"[:OBSERVATION],
        "evaluation_job_arn": origin.evaluation_arn,
        "datasets": [origin.snapshot_uri],
        "metadata": {
            "rows": str(report["rows"]),
            "days": str(report["days"]),
            "rule": report["gate"]["rule"],
        },
        "metric_groups": [{"name": name, "metric_data": data} for name, data in groups if data],
    }


def _number(name: str, value: float, notes: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name[:255] or "-", "type": "number", "value": value}
    return {**found, "notes": notes[:SHORT]} if notes else found


def _quality(report: Body) -> Iterator[dict[str, Any]]:
    """Each metric that is defined, with its interval."""
    metrics = report.get(METRICS.get(report["schema"]["task"], ""), {})
    for name, interval in report.get("intervals", {}).items():
        value = metrics.get(name, {}).get("value")
        if value is not None:
            low_high = interval or (None, None)
            said = (
                f"95% from {low_high[0]:.6g} to {low_high[1]:.6g}, days resampled"
                if None not in low_high
                else ""
            )
            yield _number(name, value, said)


def _bias(bias: Body) -> Iterator[dict[str, Any]]:
    for when in ("pre_training", "post_training"):
        for column, facets in bias.get(f"{when}_bias_metrics", {}).get("facets", {}).items():
            for facet in facets:
                for one in facet["metrics"]:
                    if one["value"] is not None:
                        name = f"{when} {one['name']} {column}={facet['value_or_threshold']}"
                        yield _number(name, one["value"])


def _additional(card: Card, origin: Origin, report: Body, bias: Body) -> dict[str, Any]:
    plan = report["plan"]
    facets = sorted(bias.get("post_training_bias_metrics", {}).get("facets", {}))
    fair = (
        f"Bias was measured by {', '.join(facets)}"
        if facets
        else "No facet is configured, so no bias was measured"
    )
    custom: dict[str, Sequence[Any] | Any] = {
        "model_package": model_stamp(origin.package_arn),
        "run": plan["run_id"],
        "snapshot": plan["snapshot_id"],
        "commit": plan.get("commit") or "unknown",
        "archive_sha256": report.get("artefact", {}).get("archive", "unknown"),
        "cost_usd": f"{origin.cost_usd:.6f}",
    }
    return {
        **_present(caveats_and_recommendations=card.caveats, ethical_considerations=fair),
        "custom_details": {name: str(value)[:CUSTOM] for name, value in custom.items()},
    }
