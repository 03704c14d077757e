"""What must hold for every resource of template.yaml, whoever adds the next one."""

import os
import re
import sys
import tomllib
from pathlib import Path
from subprocess import run

import pytest
import yaml
from cloudformation_validate import CompositeEngine

from issuebridge.domain.freshness import MARGIN
from issuebridge.use_cases.pull_report import PullReport

ROOT = Path(__file__).parents[2]


class CloudFormationLoader(yaml.SafeLoader):
    """Reads `!Ref X` as {"Ref": "X"}, and `!GetAtt X.Y` as {"Fn::GetAtt": "X.Y"}."""


def _long_form(loader, suffix, node):
    name = suffix if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    return {name: loader.construct_sequence(node, deep=True)}


CloudFormationLoader.add_multi_constructor("!", _long_form)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), CloudFormationLoader)  # noqa: S506
GLOBALS = TEMPLATE["Globals"]["Function"]


def of_type(kind):
    found = {n: r["Properties"] for n, r in TEMPLATE["Resources"].items() if r["Type"] == kind}
    assert found, f"no {kind} in the template: the rule below would check nothing"
    return found


FUNCTIONS = of_type("AWS::Serverless::Function")
QUEUES = of_type("AWS::SQS::Queue")
EVENTS = {
    (function, name): event
    for function, properties in FUNCTIONS.items()
    for name, event in properties["Events"].items()
}


def events(kind):
    found = [(f, e["Properties"]) for (f, _), e in EVENTS.items() if e["Type"] == kind]
    assert found
    return found


def target(reference):
    """The logical name in `!Ref X` or `!GetAtt X.Y`."""
    return next(iter(reference.values())).split(".")[0]


def dead_letter_queues():
    redriven = {
        target(q["RedrivePolicy"]["deadLetterTargetArn"])
        for q in QUEUES.values()
        if "RedrivePolicy" in q
    }
    failed = {
        target(p["DestinationConfig"]["OnFailure"]["Destination"]) for _, p in events("DynamoDB")
    }
    return redriven | failed


@pytest.mark.parametrize("name", QUEUES)
def test_every_queue_has_a_dead_letter_queue_of_its_kind_or_is_one(name):
    queue = QUEUES[name]
    if name in dead_letter_queues():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600, "as long as SQS can keep it"
        return
    dead_letters = QUEUES[target(queue["RedrivePolicy"]["deadLetterTargetArn"])]
    assert dead_letters.get("FifoQueue") == queue.get("FifoQueue")


@pytest.mark.parametrize("name", sorted(dead_letter_queues()))
def test_every_dead_letter_queue_has_an_alarm(name):
    alarms = of_type("AWS::CloudWatch::Alarm").values()
    assert {"Name": "QueueName", "Value": {"Fn::GetAtt": f"{name}.QueueName"}} in [
        dimension for alarm in alarms for dimension in alarm["Dimensions"]
    ]


def test_a_queue_hides_a_message_for_six_times_as_long_as_its_function_may_run():
    for function, event in events("SQS"):
        timeout = FUNCTIONS[function].get("Timeout", GLOBALS["Timeout"])
        assert QUEUES[target(event["Queue"])]["VisibilityTimeout"] >= 6 * timeout


def test_one_failed_record_of_a_batch_does_not_fail_its_neighbours():
    for _, event in events("SQS") + events("DynamoDB"):
        assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_stream_gives_up_on_a_record_and_says_where_it_went():
    for _, event in events("DynamoDB"):
        assert event["BisectBatchOnFunctionError"] is True
        assert 0 < event["MaximumRetryAttempts"] <= 10
        assert 0 < event["MaximumRecordAgeInSeconds"] <= 24 * 3600
        assert target(event["DestinationConfig"]["OnFailure"]["Destination"]) in QUEUES


def test_every_schedule_can_be_switched_off_and_does_not_retry_by_itself():
    for _, event in events("ScheduleV2"):
        assert event["State"] == {"Ref": "SchedulesState"}
        assert event["RetryPolicy"] == {"MaximumRetryAttempts": 0}
        assert event["OmitName"] is True, "a fixed name is refused to the account's second stack"
    assert GLOBALS["EventInvokeConfig"] == {"MaximumRetryAttempts": 0}


def test_the_table_survives_mistakes_is_encrypted_and_forgets_in_time():
    for table in of_type("AWS::DynamoDB::Table").values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["TimeToLiveSpecification"]["Enabled"] is True
    for resource in TEMPLATE["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


TOLD_ONCE = {"RemedyNeededAlarm", "NormAwaitingInputAlarm"}
"""Their metrics count what began just now: that it is over nobody knows."""


def test_every_alarm_tells_the_topic_that_a_deployment_names():
    told = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], []]}
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert alarms
    assert {n: a.get("AlarmActions") for n, a in alarms.items()} == dict.fromkeys(alarms, told)
    over = {n: a["OKActions"] for n, a in alarms.items() if "OKActions" in a}
    assert over == dict.fromkeys(alarms.keys() - TOLD_ONCE, told)


def test_nobody_s_silence_is_taken_for_freshness():
    alarm = TEMPLATE["Resources"]["StaleAlarm"]["Properties"]
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["EvaluationPeriods"] * alarm["Period"] <= MARGIN.total_seconds()


def emitted() -> set[str]:
    """The names of our metrics, as the handlers have them."""
    handlers = "".join(path.read_text() for path in (ROOT / "functions").glob("*/handler.py"))
    return {*PullReport("").metrics(), *re.findall(r'"([A-Z]\w+)"', handlers)}


def test_an_alarm_on_a_metric_of_ours_watches_this_stack_alone():
    ours = [
        a for a in of_type("AWS::CloudWatch::Alarm").values() if a["Namespace"] == "issuebridge"
    ]
    for alarm in ours:
        assert alarm["Dimensions"] == [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]
        assert alarm["MetricName"] in emitted(), "nothing emits it"
    service = GLOBALS["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    assert service == {"Ref": "AWS::StackName"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_its_own_role_log_group_and_error_alarm(name):
    function = FUNCTIONS[name]
    assert function["Role"] == {"Fn::GetAtt": f"{name}Role.Arn"}
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
    assert of_type("AWS::Logs::LogGroup")[f"{name}Logs"]["RetentionInDays"] == {
        "Ref": "LogRetentionDays"
    }
    assert of_type("AWS::CloudWatch::Alarm")[f"{name}ErrorsAlarm"]["Dimensions"] == [
        {"Name": "FunctionName", "Value": {"Ref": name}}
    ]
    written = [
        s["Resource"] for s in statements(f"{name}Role") if "logs:PutLogEvents" in s["Action"]
    ]
    assert written == [{"Fn::GetAtt": f"{name}Logs.Arn"}]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_folder_is_one_file_that_the_outputs_lead_to(name):
    folder = ROOT / FUNCTIONS[name]["CodeUri"]
    assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["handler.py"]
    assert TEMPLATE["Outputs"][f"{name}FunctionName"] == {"Value": {"Ref": name}}


def statements(resource):
    properties = TEMPLATE["Resources"][resource]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    given = [statement for document in documents for statement in document["Statement"]]
    return [statement.get("Fn::If", [None, statement])[1] for statement in given]


WITHOUT_RESOURCES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}  # AWS names none for them
NETWORK_INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
LAMBDA_ITSELF = {"Null": {"lambda:SourceFunctionArn": "true"}}


GRANTS = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")


@pytest.mark.parametrize("name", [name for kind in GRANTS for name in of_type(kind)])
def test_no_policy_grants_every_action_or_every_resource(name):
    for statement in statements(name):
        actions = (
            {statement["Action"]}
            if isinstance(statement["Action"], str)
            else set(statement["Action"])
        )
        assert not [action for action in actions if "*" in action]
        is_lambda = statement.get("Condition") == LAMBDA_ITSELF
        everywhere = NETWORK_INTERFACES if is_lambda else WITHOUT_RESOURCES
        assert statement["Resource"] != "*" or actions <= everywhere


@pytest.mark.parametrize("name", of_type("AWS::IAM::Role"))
def test_no_role_takes_a_policy_of_aws_s_own_since_those_name_every_resource(name):
    assert of_type("AWS::IAM::Role")[name]["ManagedPolicyArns"] == [{"Ref": "CommonAccess"}]


def test_aws_s_own_validator_finds_nothing():
    accepted = {"W2509"}  # takes SecretPrefix for a password
    report = CompositeEngine().validate_template(ROOT / "template.yaml")
    found = [d for d in report.diagnostics if d.severity.name != "INFO"]
    assert [f"{d.rule_id} {d.message}" for d in found if d.rule_id not in accepted] == []


def build(layer, folder, runtime):
    logical_id = {"core": "CoreLayer", "dependencies": "DependenciesLayer"}[layer]
    makefile = ROOT / "layers" / layer / "Makefile"
    overrides = [f"ARTIFACTS_DIR={folder}", *([f"LAMBDA_RUNTIME={runtime}"] if runtime else [])]
    command = ["make", "--makefile", makefile, f"build-{logical_id}", *overrides]
    return command, makefile.parent


def test_the_layers_are_built_for_the_runtime_and_architecture_the_functions_have(tmp_path):
    command, folder = build("dependencies", tmp_path, runtime=None)
    plan = run([*command, "--dry-run"], cwd=folder, check=True, capture_output=True, text=True)
    assert (GLOBALS["Runtime"], GLOBALS["Architectures"]) == (
        {"Ref": "Runtime"},
        [{"Ref": "Architecture"}],
    )
    defaults = {
        name: TEMPLATE["Parameters"][name]["Default"] for name in ("Runtime", "Architecture")
    }
    version = defaults["Runtime"].removeprefix("python")
    platforms = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
    architecture = defaults["Architecture"]
    assert f"--python-version {version} --platform {platforms[architecture]} " in plan.stdout


def test_our_layer_ships_bytecode_that_its_runtime_reads(tmp_path):
    runtime = "python{}.{}".format(*sys.version_info)
    command, folder = build("core", tmp_path, runtime)
    own_python_first = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run(command, cwd=folder, check=True, capture_output=True, env=own_python_first)
    sources = {path.stem for path in tmp_path.rglob("*.py")}
    compiled = {
        path.name.split(".")[0] for path in tmp_path.rglob(f"*.{sys.implementation.cache_tag}.pyc")
    }
    assert sources
    assert compiled == sources


def test_without_the_runtime_s_python_the_layer_says_that_it_has_no_bytecode(tmp_path):
    command, folder = build("core", tmp_path, "python3.99")
    built = run(command, cwd=folder, check=True, capture_output=True, text=True)
    assert "WARNING: no python3.99" in built.stdout
    assert not list(tmp_path.rglob("*.pyc"))


LOCKS = [*ROOT.glob("ops/requirements-*.txt"), ROOT / "layers/dependencies/requirements.txt"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_hash_and_no_address(lock):
    text = lock.read_text()
    packages = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert not re.search(r"://|^--|^-[a-z]", text, re.MULTILINE)


def test_the_layer_s_packages_are_the_same_for_every_python_and_machine():
    """Pip would judge a marker by the Python that builds, not by the one that runs."""
    assert ";" not in (ROOT / "layers/dependencies/requirements.txt").read_text()


def asked_for():
    """What people chose, by the lock that must hold it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = {
        f"requirements-{group}.txt": pins for group, pins in project["dependency-groups"].items()
    }
    layer, ops = (
        [line for line in (ROOT / path).read_text().splitlines() if line[0] != "#"]
        for path in ("layers/dependencies/requirements.in", "ops/requirements.in")
    )
    found["requirements-dev.txt"] += layer + ops
    return {**found, "requirements.txt": layer}


def locked(path):
    return set(re.findall(r"^([\w-]+)(?:\[.*\])?==([\w.]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_lock_holds_exactly_the_versions_asked_for(lock):
    pins = [re.fullmatch(r"([\w-]+)(?:\[.*\])?==([\w.]+)", pin) for pin in asked_for()[lock.name]]
    assert {pin.groups() for pin in pins} <= locked(lock)


def test_the_tests_run_on_the_packages_that_ship():
    layer, dev = LOCKS[-1], ROOT / "ops/requirements-dev.txt"
    assert locked(layer) <= locked(dev)


def test_private_hosts_and_proxies_are_reached_by_parameters_and_by_none_of_them_at_first():
    variables = GLOBALS["Environment"]["Variables"]
    assert variables["HTTPS_PROXY"] == variables["HTTP_PROXY"] == {"Ref": "ProxyUrl"}
    assert variables["NO_PROXY"] == {"Ref": "NoProxy"}
    inside, outside = GLOBALS["VpcConfig"]["Fn::If"][1:]
    assert inside == {name: {"Ref": name} for name in ("SubnetIds", "SecurityGroupIds")}
    assert outside == {"Ref": "AWS::NoValue"}
    names = ("ProxyUrl", "NoProxy", "SubnetIds", "SecurityGroupIds")
    assert {TEMPLATE["Parameters"][name]["Default"] for name in names} == {""}


def test_in_a_vpc_the_roles_may_have_the_network_interface_that_lambda_asks_for():
    policy = of_type("AWS::IAM::ManagedPolicy")["CommonAccess"]["PolicyDocument"]
    (guarded,) = (s["Fn::If"] for s in policy["Statement"] if "Fn::If" in s)
    condition, statement, otherwise = guarded
    assert (condition, otherwise) == ("HasVpc", {"Ref": "AWS::NoValue"})
    assert statement["Condition"] == LAMBDA_ITSELF
    assert set(statement["Action"]) == NETWORK_INTERFACES
