"""CloudFormation's own behaviour: what it refuses, what it changes, and how it goes back."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine import Unsupported
from tests.engine.stack_world import World, impossible, queue, world

__all__ = ["world"]

RELEASE = {"Release": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/none"}}
HAS_RELEASE = {"HasRelease": {"Fn::Not": [{"Fn::Equals": [{"Fn::Select": [0, {"Ref": "Release"}]}, "none"]}]}}


def keep(*names: str) -> list[dict[str, Any]]:
    return [{"ParameterKey": name, "UsePreviousValue": True} for name in names]


def give(**values: str) -> list[dict[str, Any]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


def test_a_creation_answers_at_once_and_works_when_the_account_is_pumped(world: World) -> None:
    assert world.create("later", {"Q": queue("later-q")}, pump=False)["StackStatus"] == "CREATE_IN_PROGRESS"
    assert world.queue("later-q") is None
    world.account.pump()
    assert world.stack("later")["StackStatus"] == "CREATE_COMPLETE"
    assert world.queue("later-q")


def test_a_second_update_is_refused_while_one_is_in_progress(world: World) -> None:
    world.create("busy", {"Q": queue(VisibilityTimeout=30)})
    world.update("busy", {"Q": queue(VisibilityTimeout=40)}, pump=False)
    with pytest.raises(ClientError, match="is in UPDATE_IN_PROGRESS state and can not be updated"):
        world.update("busy", {"Q": queue(VisibilityTimeout=50)})
    world.account.pump()
    assert world.stack("busy")["StackStatus"] == "UPDATE_COMPLETE"


def test_during_the_clean_up_of_an_update_another_update_is_refused(world: World) -> None:
    refusals = []

    def try_again(entry: Any) -> None:
        if entry.facts.get("stack") == "cleaning" and "CLEANUP" in entry.facts["status"]:
            with pytest.raises(ClientError, match="UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
                world.update("cleaning", {"Q": queue(VisibilityTimeout=50)}, pump=False)
            refusals.append(entry.facts["status"])

    world.create("cleaning", {"Q": queue(VisibilityTimeout=30)})
    world.account.journal.listeners.append(try_again)
    world.update("cleaning", {"Q": queue(VisibilityTimeout=40)})
    world.account.journal.listeners.remove(try_again)
    assert refusals == ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"]


def test_every_status_is_an_event_with_the_request_s_token(world: World) -> None:
    world.create("told", {"Q": queue()}, ClientRequestToken="first")
    world.update("told", {"Q": queue(DelaySeconds=1)}, ClientRequestToken="second")
    details = [
        entry.facts["detail"]
        for entry in world.account.journal.of("event")
        if entry.facts["source"] == "aws.cloudformation" and "/told/" in entry.facts["detail"]["stack-id"]
    ]
    assert [(detail["status-details"]["status"], detail["client-request-token"]) for detail in details] == [
        ("CREATE_IN_PROGRESS", "first"),
        ("CREATE_COMPLETE", "first"),
        ("UPDATE_IN_PROGRESS", "second"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "second"),
        ("UPDATE_COMPLETE", "second"),
    ]


def test_an_ssm_parameter_keeps_its_key_and_shows_what_it_resolved_to(world: World) -> None:
    world.put("/none", "none,-")
    world.create("keyed", {"Q": queue()}, Slots=RELEASE)
    assert world.stack("keyed")["Parameters"] == [
        {"ParameterKey": "Release", "ParameterValue": "/none", "ResolvedValue": "none,-"}
    ]


def test_a_kept_key_is_read_again_at_every_update(world: World) -> None:
    world.put("/moving", "10,20")
    resources = {"Q": queue("moving-q", VisibilityTimeout={"Fn::Select": [1, {"Ref": "Release"}]})}
    world.create("moving", resources, Slots=RELEASE, Parameters=give(Release="/moving"))
    world.put("/moving", "10,99")
    world.cloudformation.update_stack(
        StackName="moving", UsePreviousTemplate=True, Parameters=keep("Release")
    )
    world.account.pump()
    assert world.stack("moving")["Parameters"][0]["ParameterValue"] == "/moving"
    assert (world.queue("moving-q") or {})["VisibilityTimeout"] == "99"


def test_an_update_that_changes_no_resource_is_no_update(world: World) -> None:
    world.put("/same", "none,-")
    resources = {"Q": queue(Tags=[{"Key": "a", "Value": "b"}])}
    world.create("same", resources, Slots=RELEASE, Parameters=give(Release="/same"))
    for parameters in (keep("Release"), give(Release="/same")):
        with pytest.raises(ClientError, match="No updates are to be performed"):
            world.update("same", resources, Slots=RELEASE, Parameters=parameters)
    assert world.statuses("same") == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]


def test_a_parameter_that_is_left_out_of_an_update_falls_back_to_its_default(world: World) -> None:
    world.put("/none", "none,-")
    world.put("/left", "left,-")
    resources = {
        "Q": queue("left-out", Tags=[{"Key": "r", "Value": {"Fn::Select": [0, {"Ref": "Release"}]}}])
    }
    world.create("left-out", resources, Slots=RELEASE, Parameters=give(Release="/left"))
    world.update("left-out", resources, Slots=RELEASE)
    assert world.stack("left-out")["Parameters"][0]["ParameterValue"] == "/none"


def test_a_condition_that_turns_makes_and_removes_its_resources(world: World) -> None:
    world.put("/none", "none,-")
    world.put("/one", "000001,x")
    resources = {"Always": queue(), "Live": {**queue("conditional"), "Condition": "HasRelease"}}
    sections: dict[str, Any] = {"Slots": RELEASE, "Conditions": HAS_RELEASE}
    outputs = {"Url": {"Value": {"Ref": "Live"}, "Condition": "HasRelease"}}
    assert "Outputs" not in world.create("turning", resources, Outputs=outputs, **sections)
    assert world.queue("conditional") is None
    stack = world.update("turning", resources, Outputs=outputs, Parameters=give(Release="/one"), **sections)
    assert world.queue("conditional")
    assert stack["Outputs"][0]["OutputValue"].endswith("/conditional")
    world.update("turning", resources, Outputs=outputs, Parameters=give(Release="/none"), **sections)
    assert world.queue("conditional") is None
    assert set(world.physical("turning")) == {"Always"}


def test_no_value_leaves_neither_a_property_nor_a_list_item(world: World) -> None:
    nothing = {"Ref": "AWS::NoValue"}
    rule = {
        "ScheduleExpression": "rate(1 hour)",
        "Description": nothing,
        "Targets": [
            {"Id": "q", "Arn": {"Fn::GetAtt": ["Q", "Arn"]}},
            {"Fn::If": ["No", {"Id": "x"}, nothing]},
        ],
    }
    resources = {"Q": queue(), "R": {"Type": "AWS::Events::Rule", "Properties": rule}}
    world.create("nothing", resources, Conditions={"No": {"Fn::Equals": ["a", "b"]}})
    name = world.physical("nothing")["R"]
    targets = world.account.client("events").list_targets_by_rule(Rule=name)["Targets"]
    assert [target["Id"] for target in targets] == ["q"]


def test_the_intrinsic_functions_give_what_cloudformation_gives(world: World) -> None:
    value = {
        "Fn::Sub": [
            "${AWS::StackName}/${!Literal}/${Name}/${Q.QueueName}/${AWS::Region}",
            {"Name": {"Fn::Join": ["-", {"Fn::Split": [",", "a,b"]}]}},
        ]
    }
    found = {"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}
    outputs = {
        "Text": {"Value": value},
        "Found": {"Value": found},
        "Base": {"Value": {"Fn::Base64": "hi"}},
    }
    stack = world.create(
        "intrinsic", {"Q": queue("iq")}, Outputs=outputs, Mappings={"Sizes": {"us-east-1": {"small": True}}}
    )
    shown = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert shown == {"Text": "intrinsic/${Literal}/a-b/iq/us-east-1", "Found": "true", "Base": "aGk="}


def test_a_failed_update_restores_what_it_had_changed(world: World) -> None:
    world.create("restored", {"A": queue("restored-a", VisibilityTimeout=30), "Old": queue("restored-old")})
    changed = {
        "A": queue("restored-a", VisibilityTimeout=99),
        "New": queue("restored-new"),
        "Z": {**impossible(), "DependsOn": ["A", "New"]},
    }
    assert world.update("restored", changed)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (world.queue("restored-a") or {})["VisibilityTimeout"] == "30"
    assert world.queue("restored-new") is None
    assert world.queue("restored-old")
    assert "nobody" in world.reasons("restored")["Z"]
    assert world.statuses("restored")[-4:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    body = world.cloudformation.get_template(StackName="restored")["TemplateBody"]
    assert set(body["Resources"]) == {"A", "Old"}


def test_a_rolled_back_update_keeps_the_key_of_the_release_before(world: World) -> None:
    world.put("/good", "000001,30")
    world.put("/bad", "000002,thirty")
    resources = {"Q": queue("key-q", VisibilityTimeout={"Fn::Select": [1, {"Ref": "Release"}]})}
    world.create("key", resources, Slots=RELEASE, Parameters=give(Release="/good"))
    stack = world.update("key", resources, Slots=RELEASE, Parameters=give(Release="/bad"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["Parameters"][0] == {
        "ParameterKey": "Release",
        "ParameterValue": "/good",
        "ResolvedValue": "000001,30",
    }
    assert (world.queue("key-q") or {})["VisibilityTimeout"] == "30"


def test_a_failed_creation_leaves_nothing_and_cannot_be_updated(world: World) -> None:
    stack = world.create("stillborn", {"A": queue("stillborn-a"), "Z": {**impossible(), "DependsOn": "A"}})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert world.queue("stillborn-a") is None
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        world.update("stillborn", {"A": queue()})


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "keyless"}},
        {"Type": "AWS::S3::Bucket", "Properties": {"BucketEncryption": {}}},
        {"Type": "AWS::KMS::Key"},
    ],
    ids=lambda resource: resource["Type"],
)
def test_a_resource_without_a_required_property_fails_and_rolls_the_stack_back(
    world: World, resource: dict[str, Any]
) -> None:
    name = resource["Type"].replace("::", "-")
    stack = world.create(name, {"A": queue(f"{name}-q"), "Z": {**resource, "DependsOn": "A"}})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert world.queue(f"{name}-q") is None
    assert "required key [" in world.reasons(name)["Z"]


def test_retain_except_on_create_does_not_keep_what_a_rolled_back_update_created(world: World) -> None:
    world.create("fleeting", {"Q": queue("fleeting-q")})
    kept, not_kept = {"DeletionPolicy": "Retain"}, {"DeletionPolicy": "RetainExceptOnCreate"}
    made = {"A": {**queue("fleeting-a"), **kept}, "B": {**queue("fleeting-b"), **not_kept}}
    changed = {"Q": queue("fleeting-q"), **made, "Z": {**impossible(), "DependsOn": ["A", "B"]}}
    assert world.update("fleeting", changed)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert world.queue("fleeting-a")
    assert world.queue("fleeting-b") is None


def test_when_the_undo_fails_too_the_stack_says_so(world: World) -> None:
    world.create("stuck", {"A": queue("stuck-a", VisibilityTimeout=30)})
    world.update(
        "stuck",
        {"A": queue("stuck-a", VisibilityTimeout=99), "Z": {**impossible(), "DependsOn": "A"}},
        pump=False,
    )

    def sabotage(entry: Any) -> None:
        if entry.facts.get("status") == "UPDATE_ROLLBACK_IN_PROGRESS":
            sqs = world.account.client("sqs")
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="stuck-a")["QueueUrl"])

    world.account.journal.listeners.append(sabotage)
    world.account.pump()
    world.account.journal.listeners.remove(sabotage)
    assert world.stack("stuck")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert world.reasons("stuck").keys() == {"A", "Z", "stuck"}
    with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        world.update("stuck", {"A": queue()})


def test_deleting_an_export_in_use_is_cancelled_and_the_stack_keeps_its_status(world: World) -> None:
    exports = {"Url": {"Value": {"Ref": "Q"}, "Export": {"Name": "giver:Url"}}}
    world.create("giver", {"Q": queue()}, Outputs=exports)
    policy = {"Queues": [{"Fn::ImportValue": "giver:Url"}], "PolicyDocument": {"Statement": []}}
    world.create("taker", {"P": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy}})
    stack = world.delete("giver")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["StackStatusReason"] == "Export giver:Url cannot be deleted as it is in use by taker"
    stack = world.update("giver", {"Q": queue(DelaySeconds=5)})
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert world.cloudformation.list_imports(ExportName="giver:Url")["Imports"] == ["taker"]
    world.delete("taker")
    assert world.delete("giver")["StackStatus"] == "DELETE_COMPLETE"


def test_changing_an_export_in_use_rolls_back(world: World) -> None:
    def giver(value: str) -> dict[str, Any]:
        return {"V": {"Value": value, "Export": {"Name": "fixed:V"}}}

    world.create("fixed", {"Q": queue()}, Outputs=giver("one"))
    tags = [{"Key": "v", "Value": {"Fn::ImportValue": "fixed:V"}}]
    world.create("fixed-user", {"Q": queue(Tags=tags)})
    world.update("fixed", {"Q": queue()}, Outputs=giver("two"))
    reasons = [e.facts["reason"] for e in world.account.journal.of("stack") if e.facts["stack"] == "fixed"]
    assert "Export fixed:V cannot be updated as it is in use by fixed-user" in reasons


def test_an_import_that_nobody_exports_fails_the_resource(world: World) -> None:
    world.create("lonely", {"Q": queue(Tags=[{"Key": "v", "Value": {"Fn::ImportValue": "no:Such"}}])})
    assert world.reasons("lonely")["Q"] == "No export named no:Such found."


@pytest.mark.parametrize(
    "slot, given, message",
    [
        ({"Type": "String"}, None, r"Parameters: \[P\] must have values"),
        ({"Type": "String", "AllowedPattern": "sha256:[0-9a-f]+"}, "latest", "must match pattern"),
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "must be one of"),
        ({"Type": "Number", "MaxValue": 5}, "6", "must be at most 5"),
        ({"Type": "Number"}, "six", "must be a number"),
        ({"Type": "String", "MinLength": 3}, "ab", "at least 3 characters"),
        ({"Type": "AWS::SSM::Parameter::Value<String>"}, "/absent", "Unable to fetch parameters"),
    ],
)
def test_a_parameter_that_the_template_does_not_allow_is_refused(
    world: World, slot: dict[str, Any], given: str | None, message: str
) -> None:
    parameters = give(P=given) if given else []
    with pytest.raises(ClientError, match=message):
        world.create("refused", {"Q": queue()}, Slots={"P": slot}, Parameters=parameters)


def test_a_kept_value_that_the_new_template_does_not_allow_is_refused_before_anything_changes(
    world: World,
) -> None:
    def slot(mode: str) -> dict[str, Any]:
        return {"Mode": {"Type": "String", "Default": mode, "AllowedValues": [mode]}}

    world.create("one-mode", {"Q": queue()}, Slots=slot("realtime"))
    with pytest.raises(ClientError, match=r"Parameter 'Mode' failed to satisfy constraint: got 'realtime'"):
        world.update("one-mode", {"Q": queue()}, Slots=slot("batch"), Parameters=keep("Mode"))
    assert world.stack("one-mode")["StackStatus"] == "CREATE_COMPLETE"


def test_a_parameter_that_the_template_does_not_have_is_refused(world: World) -> None:
    with pytest.raises(ClientError, match=r"Parameters: \[P\] do not exist in the template"):
        world.create("refused", {"Q": queue()}, Parameters=give(P="1"))


def test_a_rule_that_does_not_hold_is_refused_with_its_description(world: World) -> None:
    outdated = {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "V"}]}]}
    rules = {"Version": {"Assertions": [{"Assert": outdated, "AssertDescription": "bootstrap again"}]}}
    slots = {"V": {"Type": "String", "Default": "1"}}
    with pytest.raises(ClientError, match="bootstrap again"):
        world.create("refused", {"Q": queue()}, Slots=slots, Rules=rules)
    world.create("ruled", {"Q": queue()}, Slots=slots, Rules=rules, Parameters=give(V="3"))


def test_a_circle_of_references_is_refused(world: World) -> None:
    resources = {
        "A": queue(Tags=[{"Key": "b", "Value": {"Fn::GetAtt": ["B", "Arn"]}}]),
        "B": queue(Tags=[{"Key": "a", "Value": {"Fn::Sub": "${A.Arn}"}}]),
    }
    with pytest.raises(ClientError, match=r"Circular dependency between resources: \[A, B\]"):
        world.create("refused", resources)


def test_a_reference_to_a_resource_whose_condition_is_false_is_refused(world: World) -> None:
    resources = {"A": {**queue(), "Condition": "No"}, "B": queue(Tags=[{"Key": "a", "Value": {"Ref": "A"}}])}
    with pytest.raises(ClientError, match=r"Unresolved resource dependencies \[A\]"):
        world.create("refused", resources, Conditions={"No": {"Fn::Equals": ["a", "b"]}})


def test_a_resource_type_that_the_account_lacks_stops_by_name(world: World) -> None:
    resources = {"Net": {"Type": "AWS::EC2::VPC", "Properties": {}}}
    with pytest.raises(ClientError, match=r"AWS::EC2::VPC \(Net\) in stack refused: the local account lacks"):
        world.create("refused", resources)
    assert any("AWS::EC2::VPC (Net)" in e.facts["what"] for e in world.account.journal.of("unsupported"))


def test_a_property_that_would_be_ignored_stops_by_name(world: World) -> None:
    with pytest.raises(ClientError, match=r"AWS::SQS::Queue \(Q\) in stack refused: property FifoQueue"):
        world.create("refused", {"Q": queue(FifoQueue=True)})


def test_a_nested_property_that_would_be_ignored_stops_the_run(world: World) -> None:
    rules = {"Rules": [{"Status": "Enabled", "Transitions": []}]}
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"LifecycleConfiguration": rules}}
    with pytest.raises(Unsupported, match=r"property LifecycleConfiguration.Rules\[\].Transitions"):
        world.create("nested", {"B": bucket})


def test_iam_resources_need_a_capability_and_named_ones_a_stronger_one(world: World) -> None:
    def role(**named: str) -> dict[str, Any]:
        return {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Statement": []}, **named},
        }

    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]"):
        world.create("refused", {"R": role()}, Capabilities=[])
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"):
        world.create("refused", {"R": role(RoleName="named")}, Capabilities=["CAPABILITY_IAM"])


def test_a_role_that_does_not_trust_cloudformation_cannot_deploy(world: World) -> None:
    with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
        world.create("refused", {"Q": queue()}, RoleARN="arn:aws:iam::123456789012:role/nobody-trusts-it")


def test_a_deletion_takes_dependents_first_and_leaves_what_is_retained(world: World) -> None:
    who = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    what = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    trust, policy = ({"Version": "2012-10-17", "Statement": [statement]} for statement in (who, what))
    resources = {
        "R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "P": {
            "Type": "AWS::IAM::Policy",
            "Properties": {"PolicyName": "p", "PolicyDocument": policy, "Roles": [{"Ref": "R"}]},
        },
        "Kept": {**queue("kept-queue"), "DeletionPolicy": "Retain"},
        "Gone": queue("gone-queue"),
    }
    assert world.create("ordered", resources)["StackStatus"] == "CREATE_COMPLETE"
    assert world.delete("ordered")["StackStatus"] == "DELETE_COMPLETE"
    assert world.queue("gone-queue") is None
    assert world.queue("kept-queue")


def test_a_resource_that_cannot_be_deleted_fails_the_deletion_by_name(world: World) -> None:
    world.create("full", {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full-bucket"}}})
    world.account.client("s3").put_object(Bucket="full-bucket", Key="k", Body=b"x")
    assert world.delete("full")["StackStatus"] == "DELETE_FAILED"
    assert "BucketNotEmpty" in world.reasons("full")["B"]
    world.account.client("s3").delete_object(Bucket="full-bucket", Key="k")
    assert world.delete("full")["StackStatus"] == "DELETE_COMPLETE"


def test_a_protected_stack_cannot_be_deleted(world: World) -> None:
    world.create("guarded", {"Q": queue()}, EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        world.delete("guarded")
    world.cloudformation.update_termination_protection(StackName="guarded", EnableTerminationProtection=False)
    assert world.delete("guarded")["StackStatus"] == "DELETE_COMPLETE"


def test_a_name_is_free_again_after_the_deletion(world: World) -> None:
    first = world.create("again", {"Q": queue()})["StackId"]
    url = world.physical("again")["Q"]
    with pytest.raises(ClientError, match="AlreadyExists"):
        world.create("again", {"Q": queue()})
    world.delete("again")
    assert world.create("again", {"Q": queue()})["StackId"] != first
    assert world.physical("again")["Q"] != url


def test_an_operation_that_is_not_built_is_refused_by_name(world: World) -> None:
    with pytest.raises(ClientError, match="CloudFormation DetectStackDrift: not built"):
        world.cloudformation.detect_stack_drift(StackName="s")
