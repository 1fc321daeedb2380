"""What the CDK's validator and cdk-nag find in each template of a directory; run by benchmarks/sweep.py."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import aws_cdk as cdk
import cdk_nag
from aws_cdk import cloudformation_include as include

VALIDATOR, NAG = "CDK validator", "cdk-nag"


def findings(templates: list[Path], context: dict) -> dict[str, dict[str, list[str]]]:
    """By the name of the template: what each of the two says. One that the CDK cannot read is the validator's."""
    with tempfile.TemporaryDirectory() as out:
        app = cdk.App(outdir=out, context=context, analytics_reporting=False, tree_metadata=False)
        found: dict[str, dict[str, list[str]]] = {path.stem: {VALIDATOR: [], NAG: []} for path in templates}
        for path in templates:
            stack = cdk.Stack(app, path.stem, synthesizer=cdk.BootstraplessSynthesizer())
            try:
                include.CfnInclude(stack, "Template", template_file=str(path))
            except RuntimeError as error:
                found[path.stem][VALIDATOR].append(str(error).splitlines()[0])
                app.node.try_remove_child(path.stem)
        cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(), cdk_nag.ServerlessChecks())
        with contextlib.suppress(RuntimeError):  # findings fail the synth; they are in the report
            app.synth()
        report = json.loads((Path(out) / "validation-report.json").read_text())
    for pack in report["pluginReports"]:
        by = NAG if pack["pluginName"] in ("AwsSolutions", "Serverless") else VALIDATOR
        for violation in pack["violations"]:
            for place in violation["violatingConstructs"]:
                stack_name, _, rest = place["constructPath"].partition("/")
                found[stack_name][by].append(f"{violation['ruleName']} {violation['description']} {rest}")
    return found


if __name__ == "__main__":
    directory, context_path, target = map(Path, sys.argv[1:])
    paths = sorted(directory.glob("*.json"))
    told = findings(paths, json.loads(context_path.read_text())["context"])
    target.write_text(json.dumps(told))
