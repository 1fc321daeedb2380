"""What SageMaker takes as the content of a model card: the schema of its developer guide, as JSON Schema."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def _text(longest: int) -> Schema:
    return {"type": "string", "maxLength": longest}


def _name(longest: int) -> Schema:
    return {"type": "string", "pattern": f"^.{{1,{longest}}}$"}


def _list(of: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": of, **bounds}


def _closed(properties: Schema, *required: str) -> Schema:
    """An object with these properties and no other."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


def _metric(kinds: tuple[str, ...], value: Schema, x_axis: Schema, y_axis: Schema) -> Schema:
    properties = {
        "name": _name(255),
        "notes": _text(1024),
        "type": {"enum": list(kinds)},
        "value": value,
        "x_axis_name": x_axis,
        "y_axis_name": y_axis,
    }
    return _closed(properties, "name", "type", "value")


NUMBER: Schema = {"type": "number"}
ONE, MANY = _text(63), _list(_text(63))
METRIC = {
    "anyOf": [
        _metric(
            ("number", "string", "boolean"),
            {"anyOf": [NUMBER, _text(63), {"type": "boolean"}]},
            ONE,
            ONE,
        ),
        _metric(("linear_graph",), _list(_list(NUMBER, minItems=2, maxItems=2), minItems=1), ONE, ONE),
        _metric(("bar_chart",), _list(NUMBER, minItems=1), MANY, ONE),
        _metric(
            ("matrix",),
            _list(_list(NUMBER, minItems=1, maxItems=20), minItems=1, maxItems=20),
            MANY,
            MANY,
        ),
    ]
}
FOUND = _closed({"name": _name(255), "notes": _text(1024), "value": NUMBER}, "name", "value")
SETTING = _closed({"name": _name(255), "value": _name(255)}, "name", "value")
URIS = _list(_text(1024), maxItems=15)
GROUP = {
    "type": "object",
    "properties": {"name": _name(63), "metric_data": _list(METRIC)},
    "required": ["name", "metric_data"],
}
JOB = _closed(
    {
        "training_arn": _text(1024),
        "training_datasets": URIS,
        "training_environment": _closed({"container_image": URIS}),
        "training_metrics": _list(FOUND, maxItems=50),
        "user_provided_training_metrics": _list(FOUND, maxItems=50),
        "hyper_parameters": _list(SETTING, maxItems=100),
        "user_provided_hyper_parameters": _list(SETTING, maxItems=100),
    }
)
EVALUATION = _closed(
    {
        "name": _name(63),
        "evaluation_observation": _text(2096),
        "evaluation_job_arn": _text(256),
        "datasets": _list(_text(1024), maxItems=10),
        "metadata": {"type": "object", "additionalProperties": _text(1024)},
        "metric_groups": _list(GROUP),
    },
    "name",
)
RISKS = ["High", "Medium", "Low", "Unknown"]
SCHEMA = _closed(
    {
        "model_overview": _closed({"model_creator": _text(1024), "model_artifact": URIS}),
        "intended_uses": _closed(
            {
                "purpose_of_model": _text(2048),
                "intended_uses": _text(2048),
                "factors_affecting_model_efficiency": _text(2048),
                "risk_rating": {"enum": RISKS},
                "explanations_for_risk_rating": _text(2048),
            }
        ),
        "business_details": _closed(
            {name: _text(2048) for name in ("business_problem", "business_stakeholders", "line_of_business")}
        ),
        "training_details": _closed(
            {
                "objective_function": {"type": "object"},
                "training_observations": _text(1024),
                "training_job_details": JOB,
            }
        ),
        "evaluation_details": _list(EVALUATION),
        "additional_information": _closed(
            {
                "ethical_considerations": _text(2048),
                "caveats_and_recommendations": _text(2048),
                "custom_details": {"type": "object", "additionalProperties": _text(1024)},
            }
        ),
    }
)
"""The fields that cards of packages and cards of their own both have."""
