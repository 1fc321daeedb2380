"""The two kinds of bucket that there are: one that holds data, and one that keeps who read and wrote the others."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

ACCESS_LOG_DAYS = 90


def access_logs_bucket(scope: Construct, *, old_version_days: int) -> s3.Bucket:
    """Who read and wrote the other buckets; S3 can deliver these logs under its own key only."""
    return s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        lifecycle_rules=[_lifecycle(Duration.days(ACCESS_LOG_DAYS), old_version_days)],
        removal_policy=RemovalPolicy.RETAIN,
    )


def private_bucket(
    scope: Construct,
    construct_id: str,
    *,
    key: kms.IKey,
    access_logs: s3.IBucket,
    old_version_days: int,
    expires: Duration | None = None,
) -> s3.Bucket:
    """Under a key of ours, versioned, TLS only, with access logs; its objects expire if they are given a time."""
    return s3.Bucket(
        scope,
        construct_id,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix=f"{construct_id.lower()}/",
        lifecycle_rules=[_lifecycle(expires, old_version_days)],
        removal_policy=RemovalPolicy.RETAIN,
    )


def _lifecycle(expires: Duration | None, old_version_days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        expiration=expires,
        noncurrent_version_expiration=Duration.days(old_version_days),
        abort_incomplete_multipart_upload_after=Duration.days(7),
    )
