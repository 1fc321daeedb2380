"""AWS Lambda in child processes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine import functions
from rehearsal.engine.account import Unsupported
from rehearsal.engine.worker_pool import IDLE_LIMIT
from tests.engine.runtime_world import START, World, world, zipped

ECHO = "def handler(event, context): return event"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def test_a_function_gets_its_event_and_returns_its_result(aws: World) -> None:
    aws.function(ECHO)
    assert aws.call("work", {"a": [1, None]}) == ({"a": [1, None]}, None)
    [entry] = aws.facts("invocation")
    assert entry == {
        "function": "work",
        "ok": True,
        "attempt": 1,
        "event": {"a": [1, None]},
        "result": {"a": [1, None]},
    }


def test_the_child_has_the_template_environment_and_nothing_of_ours(
    aws: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_OPERATOR", "x")
    aws.function(
        "import os\ndef handler(event, context): return dict(os.environ)",
        Environment={"Variables": {"BUCKET": "b"}},
    )
    environment, _ = aws.call("work")
    assert environment["BUCKET"] == "b"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "work"
    assert environment["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert environment["AWS_REGION"] == "us-east-1"
    assert environment["_HANDLER"] == "app.handler"
    assert environment["TZ"] == "UTC"
    assert "SECRET_OF_THE_OPERATOR" not in environment
    assert environment["HOME"] != str(Path.home())


def test_the_child_calls_the_account_with_the_role_of_the_function(aws: World) -> None:
    aws.function(
        "import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Arn']",
        role=aws.role("reader"),
    )
    arn, _ = aws.call("work")
    assert ":assumed-role/reader/" in arn


@pytest.mark.parametrize("package", ["numpy", "pydantic", "moto", "rehearsal", "yaml"])
def test_a_package_that_the_lambda_runtime_lacks_fails_as_it_would_on_aws(aws: World, package: str) -> None:
    aws.function(f"import {package}\n{ECHO}")
    error, function_error = aws.call("work")
    assert function_error == "Unhandled"
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert error["errorMessage"] == f"Unable to import module 'app': No module named '{package}'"


def test_the_packages_of_the_lambda_runtime_are_there(aws: World) -> None:
    aws.function(f"import boto3, botocore, s3transfer, jmespath, dateutil, six, urllib3\n{ECHO}")
    assert aws.call("work", {"ok": 1}) == ({"ok": 1}, None)


def test_a_missing_environment_variable_is_the_handlers_own_error_in_the_journal(aws: World) -> None:
    aws.function("import os\ndef handler(event, context):\n    return os.environ['LEDGER_TABLE']")
    error, function_error = aws.call("work")
    assert function_error == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'LEDGER_TABLE'")
    assert "in handler" in error["stackTrace"][0]
    assert "worker.py" not in "".join(error["stackTrace"])
    [entry] = aws.facts("invocation")
    assert entry["ok"] is False
    assert entry["error"]["errorType"] == "KeyError"


def test_an_error_while_importing_is_reported_with_its_own_type(aws: World) -> None:
    aws.function(f"import os\nTABLE = os.environ['LEDGER_TABLE']\n{ECHO}")
    error, _ = aws.call("work")
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'LEDGER_TABLE'")


def test_a_handler_that_does_not_exist_is_named(aws: World) -> None:
    aws.function(ECHO, Handler="app.main")
    error, _ = aws.call("work")
    assert error["errorType"] == "Runtime.HandlerNotFound"
    assert error["errorMessage"] == "Handler 'main' missing on module 'app'"


def test_a_result_that_is_no_json_is_an_error(aws: World) -> None:
    aws.function("def handler(event, context): return {1, 2}")
    error, _ = aws.call("work")
    assert error["errorType"] == "Runtime.MarshalError"


def test_a_timeout_kills_the_child_and_the_next_call_gets_a_fresh_one(aws: World) -> None:
    code = """
        import threading
        calls = []
        def handler(event, context):
            calls.append(1)
            if event.get("hang"):
                threading.Event().wait()
            return len(calls)
    """
    aws.function(code, Timeout=1)
    assert aws.call("work") == (1, None)
    error, function_error = aws.call("work", {"hang": True})
    assert function_error == "Unhandled"
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert aws.call("work") == (1, None)


def test_a_crash_is_a_runtime_exit_error(aws: World) -> None:
    aws.function("import os\ndef handler(event, context): os._exit(3)")
    error, function_error = aws.call("work")
    assert function_error == "Unhandled"
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Runtime exited with error: exit status 3")


def test_the_child_lives_in_the_accounts_time(aws: World) -> None:
    aws.function(
        "import time, datetime\ndef handler(event, context): return [time.time(), str(datetime.datetime.now())]"
    )
    assert aws.call("work") == ([START.timestamp(), "2026-01-05 09:00:00"], None)
    aws.live(days=2, minutes=1)
    assert aws.call("work") == ([START.timestamp() + 172_860, "2026-01-07 09:01:00"], None)


def test_the_context_tells_who_is_running_and_how_long_it_may(aws: World) -> None:
    code = """
        def handler(event, context):
            return [context.function_name, context.invoked_function_arn, context.memory_limit_in_mb,
                    context.log_group_name, len(context.aws_request_id), context.get_remaining_time_in_millis()]
    """
    arn = aws.function(code, MemorySize=256, Timeout=60)
    [name, own_arn, memory, group, id_length, remaining_ms], _ = aws.call("work")
    assert (name, own_arn, memory, group, id_length) == ("work", arn, "256", "/aws/lambda/work", 36)
    assert 30_000 < remaining_ms <= 60_000


def test_what_the_handler_prints_goes_to_its_log_group_at_the_virtual_time(aws: World) -> None:
    aws.function(
        "import sys\ndef handler(event, context):\n    print('out')\n    print('err', file=sys.stderr)"
    )
    aws.call("work")
    events = aws.account.client("logs").filter_log_events(logGroupName="/aws/lambda/work")["events"]
    assert [event["message"] for event in events][1:3] == ["out", "err"]
    assert {event["timestamp"] for event in events} == {int(START.timestamp() * 1000)}


def test_the_logging_config_of_the_function_names_the_log_group(aws: World) -> None:
    aws.function(
        "def handler(event, context): print(context.log_group_name)", LoggingConfig={"LogGroup": "shared"}
    )
    aws.call("work")
    events = aws.account.client("logs").filter_log_events(logGroupName="shared")["events"]
    assert "shared" in [event["message"] for event in events]


def test_without_the_permission_to_write_logs_there_are_none(aws: World) -> None:
    aws.function("def handler(event, context): print('out')", role=aws.role("silent", statements=()))
    aws.call("work")
    assert aws.account.client("logs").describe_log_groups()["logGroups"] == []


def test_an_update_of_code_or_environment_replaces_the_warm_child(aws: World) -> None:
    aws.function("import os\ndef handler(event, context): return os.environ.get('MODE', 'first')")
    assert aws.call("work") == ("first", None)
    client = aws.account.client("lambda")
    client.update_function_configuration(FunctionName="work", Environment={"Variables": {"MODE": "second"}})
    assert aws.call("work") == ("second", None)
    client.update_function_code(
        FunctionName="work", ZipFile=zipped("def handler(event, context): return 'third'")
    )
    assert aws.call("work") == ("third", None)


def test_a_role_that_does_not_trust_lambda_cannot_run_a_function(aws: World) -> None:
    aws.function(ECHO, role=aws.role("wrong", trusts="ec2.amazonaws.com"))
    error, function_error = aws.call("work")
    assert function_error == "Unhandled"
    assert error["errorType"] == "AccessDeniedException"
    assert aws.facts("invocation")[0]["ok"] is False


def test_a_child_without_the_permission_cannot_invoke_another_function(aws: World) -> None:
    calls = """
        import boto3, json
        def handler(event, context):
            answer = boto3.client("lambda").invoke(FunctionName="other", Payload=json.dumps(event))
            return json.loads(answer["Payload"].read())
    """
    arn = aws.function(ECHO, name="other")
    aws.function(calls, name="denied", role=aws.role("poor", statements=()))
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    aws.function(calls, name="allowed", role=aws.role("rich", statements=(statement,)))
    error, _ = aws.call("denied", {"a": 1})
    assert "AccessDeniedException" in error["errorMessage"]
    assert f"is not authorized to perform: lambda:InvokeFunction on resource: {arn}" in error["errorMessage"]
    assert aws.call("allowed", {"a": 1}) == ({"a": 1}, None)


def test_a_function_may_call_itself(aws: World) -> None:
    code = """
        import boto3, json
        def handler(event, context):
            if event["depth"] == 0:
                return "deep"
            payload = json.dumps({"depth": event["depth"] - 1})
            return json.loads(boto3.client("lambda").invoke(FunctionName="work", Payload=payload)["Payload"].read())
    """
    aws.function(code)
    assert aws.call("work", {"depth": 2}) == ("deep", None)


def test_an_event_invocation_runs_when_the_account_is_pumped(aws: World) -> None:
    aws.function(ECHO)
    response = aws.account.client("lambda").invoke(
        FunctionName="work", InvocationType="Event", Payload=b'{"a": 1}'
    )
    assert response["StatusCode"] == 202
    assert aws.facts("invocation") == []
    aws.account.pump()
    assert [entry["event"] for entry in aws.facts("invocation")] == [{"a": 1}]


def test_an_asynchronous_error_is_tried_three_times_and_then_goes_to_the_dead_letters(aws: World) -> None:
    url, arn = aws.queue("dead")
    aws.function("def handler(event, context): raise ValueError('no')", DeadLetterConfig={"TargetArn": arn})
    aws.account.client("lambda").invoke(FunctionName="work", InvocationType="Event", Payload=b'{"a": 1}')
    aws.account.pump()
    assert [entry["attempt"] for entry in aws.facts("invocation")] == [1, 2, 3]
    assert aws.facts("dead-letter") == [{"queue": "dead", "function": "work"}]
    assert aws.bodies(url) == [{"a": 1}]


def test_the_failure_destination_gets_a_record_of_the_error(aws: World) -> None:
    url, arn = aws.queue("failures")
    aws.function("def handler(event, context): raise ValueError('no')")
    aws.account.client("lambda").put_function_event_invoke_config(
        FunctionName="work", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    aws.account.client("lambda").invoke(FunctionName="work", InvocationType="Event", Payload=b'{"a": 1}')
    aws.account.pump()
    [record] = aws.bodies(url)
    assert record["requestPayload"] == {"a": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorMessage"] == "no"
    assert len(aws.facts("invocation")) == 1


def test_dead_letters_need_the_permission_of_the_functions_role(aws: World) -> None:
    url, arn = aws.queue("dead")
    role = aws.role("poor", statements=())
    aws.function(
        "def handler(event, context): raise ValueError", role=role, DeadLetterConfig={"TargetArn": arn}
    )
    aws.account.client("lambda").invoke(FunctionName="work", InvocationType="Event", Payload=b"{}")
    aws.account.pump()
    [letter] = aws.facts("dead-letter")
    assert f"not authorized to perform: sqs:SendMessage on resource: {arn}" in letter["error"]
    assert aws.bodies(url) == []


def test_a_payload_that_is_no_json_is_refused_by_the_api(aws: World) -> None:
    aws.function(ECHO)
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        aws.account.client("lambda").invoke(FunctionName="work", Payload=b"{nope")


def test_only_a_few_children_stay_warm_and_none_outlives_the_account(tmp_path: Path) -> None:
    with world(tmp_path) as aws:
        pids = []
        for number in range(IDLE_LIMIT + 1):
            aws.function("import os\ndef handler(event, context): return os.getpid()", name=f"f{number}")
            pids.append(aws.call(f"f{number}")[0])
        assert [Path(f"/proc/{pid}").exists() for pid in pids] == [False] + [True] * IDLE_LIMIT
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_function_that_a_topic_or_a_bucket_invokes_stops_the_run_by_name(aws: World) -> None:
    arn = aws.function(ECHO)
    topic = aws.account.client("sns").create_topic(Name="news")["TopicArn"]
    aws.account.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    with pytest.raises(Unsupported, match="an invocation of the function work by SNS"):
        aws.account.client("sns").publish(TopicArn=topic, Message="hello")
    assert len(aws.facts("unsupported")) == 1


def test_a_function_that_is_gone_when_its_turn_comes_is_a_failed_invocation(aws: World) -> None:
    arn = aws.function(ECHO)
    functions.invoke_later(aws.account, arn, {})
    aws.account.client("lambda").delete_function(FunctionName="work")
    aws.account.pump()
    [entry] = aws.facts("invocation")
    assert (entry["function"], entry["ok"]) == ("work", False)
    assert entry["error"]["errorType"] == "ResourceNotFoundException"


def test_a_runtime_that_is_not_python_stops_the_run_by_name(aws: World) -> None:
    arn = aws.function(ECHO, Runtime="nodejs22.x")
    with pytest.raises(Unsupported, match=r"AWS::Lambda::Function work uses Runtime nodejs22\.x"):
        functions.invoke(aws.account, arn, {})


def test_the_same_life_gives_the_same_journal(tmp_path: Path) -> None:
    def live(directory: Path) -> str:
        with world(directory) as aws:
            _, queue_arn = aws.queue("in")
            aws.function("def handler(event, context): return context.aws_request_id")
            mapping = {"FunctionName": "work", "EventSourceArn": queue_arn}
            aws.account.client("lambda").create_event_source_mapping(**mapping)
            aws.account.client("sqs").send_message(QueueUrl="in", MessageBody="{}")
            aws.account.pump()
            return json.dumps([entry.facts for entry in aws.account.journal.entries])

    assert live(tmp_path / "a") == live(tmp_path / "b")


NUMPY = "import numpy\ndef handler(event, context): return numpy.__version__"


def with_requirements(aws: World, requirements: str) -> None:
    buffer = io.BytesIO(zipped(NUMPY))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("requirements.txt", requirements)
        archive.writestr("numpy/__init__.py", "raise ImportError('built for another machine')")
    role = aws.role("counting-role")
    aws.account.client("lambda").create_function(
        FunctionName="counting",
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Timeout=20,
        Code={"ZipFile": buffer.getvalue()},
    )


def test_a_package_that_the_zip_pins_is_this_machine_s_of_that_version_and_the_journal_says_so(
    aws: World,
) -> None:
    version = metadata.version("numpy")
    with_requirements(aws, f"numpy=={version} \\\n    --hash=sha256:0\n")
    assert aws.call("counting") == (version, None)
    assert {"what": f"counting runs with this machine's numpy=={version}"} in aws.facts("note")


def test_a_package_that_no_zip_pins_is_not_there(aws: World) -> None:
    aws.function(NUMPY)
    error, kind = aws.call("work")
    assert (kind, error["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")


def test_another_version_than_the_pinned_one_stops_the_run_and_names_both(aws: World) -> None:
    with_requirements(aws, "numpy==0.1\n")
    with pytest.raises(Unsupported, match=rf"numpy==0.1; .* has {metadata.version('numpy')}"):
        functions.invoke(aws.account, "counting", {})
