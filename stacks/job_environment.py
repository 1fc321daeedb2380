"""What the configuration tells the jobs of the pipeline, as the environment that they read."""

from __future__ import annotations

from config.schema import Config
from domain.job_settings import BiasSettings, CheckLimits, DecisionSettings, ExplainSettings, GateSettings


def check_data(config: Config) -> dict[str, str]:
    limits = CheckLimits(**config.checks.model_dump())
    return {"HOLDOUT_DAYS": str(config.gate.holdout_days), **limits.to_env()}


def evaluate(config: Config) -> dict[str, str]:
    gate, decision, bias = config.gate, config.decision, config.bias
    return {
        "GATE_MARGIN": str(gate.margin),
        "GATE_RESAMPLES": str(gate.resamples),
        **GateSettings(gate_slices=",".join(gate.slices or []), gate_slice_margin=gate.slice_margin).to_env(),
        **DecisionSettings(decision.miss_cost, decision.false_alarm_cost, decision.f_beta or 0.0).to_env(),
        **(ExplainSettings(rows).to_env() if (rows := config.explain.shap_rows) else {}),
        **BiasSettings(bias.facets_json, bias.group or "", bias.favourable, bias.limits_json).to_env(),
    }
