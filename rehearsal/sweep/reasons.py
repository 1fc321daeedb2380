"""Why a mutant may survive: the one place for such reasons. They are for mutants that change nothing that matters.

A survivor without a reason fails the sweep; so does a reason without a survivor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rehearsal.sweep.mutants import Mutant


@dataclass(frozen=True)
class Reason:
    """Mutants by their names, which may have wildcards."""

    mutants: tuple[str, ...]
    why: str

    def covers(self, mutant: Mutant) -> bool:
        return any(fnmatchcase(mutant.name, _literal(pattern)) for pattern in self.mutants)


def _literal(pattern: str) -> str:
    """Brackets mean themselves: only * and ? are wildcards."""
    return pattern.replace("[", "[[]")


REASONS: tuple[Reason, ...] = (
    Reason(
        ("* drop Resources.*RoleDefaultPolicy* (xray:PutTelemetryRecords)",),
        "CDK grants it with tracing; there is no X-Ray here",
    ),
    Reason(
        ("*-training drop Resources.PipelineRoleDefaultPolicy* (sagemaker:AddTags)",),
        "SageMaker tags a pipeline's jobs; here nobody does",
    ),
    Reason(
        (
            "*-storage drop Resources.ModelRoleDefaultPolicy* (cloudwatch:PutMetricData)",
            "*-training drop Resources.JobRoleDefaultPolicy* (cloudwatch:PutMetricData)",
        ),
        "SageMaker publishes instance metrics; the local account has none",
    ),
    Reason(
        (
            "*-storage drop Resources.ModelRoleDefaultPolicy*.Resource.* (logs:CreateLogGroup, *",
            "*-training drop Resources.JobRoleDefaultPolicy*.Resource.* (logs:CreateLogGroup, *",
        ),
        "groups of the kinds that are written here are asked for; of the others SageMaker writes on AWS alone",
    ),
    Reason(
        ("*-storage drop Resources.ModelRoleDefaultPolicy*.Resource.* (cloudwatch:DescribeAlarms)",),
        "AWS does not say which role looks at the rollback alarms; here it is the caller's",
    ),
    Reason(
        ("*-storage drop Resources.ServingDeployRoleDefaultPolicy*.Resource.2 (cloudwatch:DeleteAlarms, *",),
        "the alarm that compares predictions is there from two instances on, in prod alone",
    ),
    Reason(
        (
            *(
                f"*-storage drop Resources.ServingDeployRoleDefaultPolicy*.Action.* (application-autoscaling:{action})"
                for action in ("DeleteScalingPolicy", "DeregisterScalableTarget", "ListTagsForResource")
            ),
            "*-storage drop Resources.ServingDeployRoleDefaultPolicy* (application-autoscaling:Describe*)",
            "*-storage drop Resources.ServingDeployRoleDefaultPolicy*.Statement.7.Action.0 (cloudwatch:DeleteAlarms)",
        ),
        "to end scaling, and to read it back: tests/rehearsal/test_releases.py plays a change of instance types",
    ),
    Reason(
        ("*-retraining drop Resources.ReleaseModelRoleDefaultPolicy*.Resource.* (ssm:GetParameters)",),
        "it looks only when a record was written before",
    ),
    Reason(
        ("*-retraining drop Resources.AlarmsPolicy*.Action.*",),
        "the library lets EventBridge look at the queue too; to send is all that it does",
    ),
    Reason(
        tuple(
            f"*.{name}Function*.TIDELINE_ACCOUNT" for name in ("ChooseInstance", "RecordRelease", "Retrain")
        ),
        "every function is told whose buckets are ours; these read none",
    ),
    Reason(
        ("*-serving drop Resources.Rollback*.Dimensions.2 (EndpointConfigName)",),
        "with one fleet both metrics say the same; the lint of a synth finds it: the old fleet would veto",
    ),
    Reason(
        ("*-delivery drop Resources.DevDeployRoleDefaultPolicy*.Resource.* (sts:AssumeRole)",),
        "the CDK's CLI takes the bootstrap's other roles for assets and lookups; here it needs the deploy role alone",
    ),
    Reason(
        (
            "*-delivery drop Resources.RoleDefaultPolicy*.Action.* (s3:GetObjectVersion)",
            "*-delivery drop Resources.RoleDefaultPolicy*.Resource.* (s3:GetBucketVersioning, s3:ListBucket)",
        ),
        "CodePipeline reads the very version of a zip; here it knows which one it has",
    ),
    Reason(
        ("* drop Resources.*.Targets.0.RetryPolicy",),
        "185 attempts are what EventBridge makes without being told; they are written for people to see",
    ),
)


def unexplained(survivors: Sequence[Mutant]) -> list[Mutant]:
    """Survivors for which no reason stands."""
    return [mutant for mutant in survivors if not any(reason.covers(mutant) for reason in REASONS)]


def stale(survivors: Sequence[Mutant]) -> list[str]:
    """Names in a reason that no survivor needs."""
    names = [(pattern, Reason((pattern,), reason.why)) for reason in REASONS for pattern in reason.mutants]
    return [pattern for pattern, one in names if not any(one.covers(mutant) for mutant in survivors)]
