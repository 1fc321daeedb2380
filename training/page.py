"""The report for whoever approves: one HTML page that needs nothing else, from what evaluate found. No row is in it."""

from __future__ import annotations

from html import escape
from typing import Any

from training.page_classes import of_classes
from training.page_shap import moved
from training.page_tables import table as _table
from training.plots import plot

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:24px auto;padding:0 16px;color:#1a1d21}
h1{font-size:24px}h2{font-size:18px;margin-top:32px}table{border-collapse:collapse;font-size:13.5px}
th,td{text-align:left;vertical-align:top;padding:3px 14px 3px 0;border-bottom:1px solid #d5dae0;overflow-wrap:anywhere}
th{color:#5b6570}.good{color:#1a7f4b}.bad{color:#c4314b}.plots{display:flex;flex-wrap:wrap;gap:16px}svg{width:300px}
.soft{color:#5b6570}"""
LINEAGE = ("run_id", "cause", "incident", "snapshot_id", "snapshot_rows", "content_id", "image_digest")
LINEAGE_OF_JOBS = ("training_instance_type", "processing_instance_type", "champion_package")


def page(report: dict[str, Any], bias: dict[str, Any], checks: dict[str, Any]) -> str:
    gate = report["gate"]
    word, kind = ("passed the gate", "good") if gate["passed"] else ("was refused at the gate", "bad")
    target = escape(report["schema"]["target"])
    parts = [
        f'<h1>The model of {target} <span class="{kind}">{word}</span></h1>',
        f"<p>Rule <b>{escape(gate['rule'])}</b>: {escape(gate['reason'])}.</p>",
        f'<p class="soft">{report["rows"]:,} held-out rows of {report["days"]} days that it was not trained on.</p>',
        _section("Loss", _losses(report)),
        _section("How it does", _plots(report) + _metrics(report)),
        _section("What it looks at", _importance(report["importance"])),
        _section("What moved its answers", moved(report.get("shap"))),
        _section("Slices", _slices(report["slices"])),
        _section("Bias", _bias(bias)),
        _section("Checks of the table", _checks(checks)),
        _section("Where it comes from", _lineage(report["plan"])),
    ]
    head = f'<meta charset="utf-8"><title>{target}: {word}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{"".join(parts)}</main></body></html>\n'


def _section(title: str, body: str) -> str:
    return f"<h2>{title}</h2>{body}" if body else ""


def _losses(report: dict[str, Any]) -> str:
    models = [name for name in ("challenger", "champion", "base_rate") if report["loss"][name] is not None]
    lines = {
        name: [(float(i), day[name] / day["rows"]) for i, day in enumerate(report["day_losses"])]
        for name in models
    }
    said = _table(("model", "mean loss"), [(name.replace("_", " "), report["loss"][name]) for name in models])
    why = f"<p>{escape(report['no_champion'])}.</p>" if report["no_champion"] else ""
    return said + why + f'<div class="plots">{plot("mean loss by held-out day", lines)}</div>'


def _plots(report: dict[str, Any]) -> str:
    if "calibration" not in report:
        return ""
    groups = report["calibration"]["groups"]
    diagonal = [(0.0, 0.0), (1.0, 1.0)]
    calibration = plot(
        "calibration: came true over said",
        {"model": [(g["said"], g["came_true"]) for g in groups], "perfect": diagonal},
    )
    metrics = report.get("binary_classification_metrics")
    if not metrics:
        return f'<div class="plots">{calibration}</div>'
    roc = metrics["receiver_operating_characteristic_curve"]
    pr = metrics["precision_recall_curve"]
    drawn = (
        plot(
            "ROC: true over false positive rate", {"model": _points(roc, "false", "true"), "chance": diagonal}
        ),
        plot("precision over recall", {"model": list(zip(pr["recalls"], pr["precisions"], strict=True))}),
        calibration,
    )
    return f'<div class="plots">{"".join(drawn)}</div>'


def _points(curve: dict[str, list[float]], x: str, y: str) -> list[tuple[float, float]]:
    return list(zip(curve[f"{x}_positive_rates"], curve[f"{y}_positive_rates"], strict=True))


def _metrics(report: dict[str, Any]) -> str:
    task = report["task"]
    name = "regression_metrics" if task == "regression" else f"{task}_classification_metrics"
    rows = []
    for metric, interval in report["intervals"].items():
        low, high = interval or (None, None)
        rows.append((metric, report[name][metric]["value"], low, high))
    table = _table(("metric", "value", "95% from", "to"), rows)
    if task == "regression":
        return table
    if task == "multiclass":
        return table + of_classes(report)
    matrix, threshold = report[name]["confusion_matrix"], report["threshold"]
    answers = _table(
        ("truth", "said 0", "said 1"), [(truth, matrix[truth]["0"], matrix[truth]["1"]) for truth in "01"]
    )
    why = (
        f"<p>1 is said from a probability of {threshold['value']:.4f} on: {escape(threshold['reason'])}.</p>"
    )
    return why + answers + table


def _importance(importance: list[dict[str, Any]]) -> str:
    said = "<p>By what share the loss rises when a feature's cells are dealt out anew among the held-out rows.</p>"
    return said + _table(("feature", "rise"), [(one["feature"], one["loss_increase"]) for one in importance])


def _slices(slices: list[dict[str, Any]]) -> str:
    if not slices:
        return ""
    names = ("column", "value", "rows", "relative_difference", "lower_bound")
    rows = [(*(one[name] for name in names), _ok(one["passed"])) for one in slices]
    return _table(("column", "value", "rows", "against the reference", "surely", ""), rows)


def _bias(bias: dict[str, Any]) -> str:
    rows = [
        (when, column, facet["value_or_threshold"], one["name"], one["value"], one.get("error", ""))
        for when in ("pre_training", "post_training")
        for column, facets in bias[f"{when}_bias_metrics"]["facets"].items()
        for facet in facets
        for one in facet["metrics"]
    ]
    return _table(("when", "column", "facet", "metric", "value", ""), rows) if rows else ""


def _checks(checks: dict[str, Any]) -> str:
    rows = [
        (one["check"], one["found"], one["allowed"], _ok(one["passed"])) for one in checks.get("checks", [])
    ]
    return _table(("check", "found", "allowed", ""), rows) if rows else ""


def _ok(passed: bool) -> str:
    return "ok" if passed else "refused"


def _lineage(plan: dict[str, Any]) -> str:
    found = [(name.replace("_", " "), plan[name]) for name in (*LINEAGE, *LINEAGE_OF_JOBS) if plan.get(name)]
    return _table(("", ""), found) if found else ""
