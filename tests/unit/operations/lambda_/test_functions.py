"""Making, reading, listing and removing functions."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
    ValidationException,
)
from strongroom.operations.lambda_ import configuration, functions
from strongroom.operations.lambda_.aliases import CREATE_ALIAS
from strongroom.operations.lambda_.code import load_code
from strongroom.operations.lambda_.functions import (
    CREATE_FUNCTION,
    DELETE_FUNCTION,
    GET_FUNCTION,
    GET_FUNCTION_CONFIGURATION,
    LIST_FUNCTIONS,
)
from strongroom.operations.lambda_.permissions import ADD_PERMISSION
from strongroom.operations.lambda_.tags import LIST_TAGS, TAG_RESOURCE, UNTAG_RESOURCE
from strongroom.operations.lambda_.versions import PUBLISH_VERSION
from strongroom.ports import (
    CODE_PARTS,
    FUNCTION_ALIASES,
    FUNCTION_POLICIES,
    FUNCTION_VERSIONS,
    STORED_CODE,
)
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow, deny, root
from support.lambda_room import LAMBDA_TRUST, FunctionRoom, zipped

ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:rotate"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/rotate-role"
CANARY = "canary-71c2"


@pytest.fixture
def room() -> FunctionRoom:
    return FunctionRoom()


def request(**members: Any) -> dict[str, Any]:
    return {
        "FunctionName": "rotate",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "main.handler",
        "Code": {"ZipFile": zipped()},
        **members,
    }


def test_a_new_function_is_described_as_aws_describes_one(room: FunctionRoom) -> None:
    code = zipped()
    created = room.created(
        Description="rotates", Timeout=30, MemorySize=256, Environment={"Variables": {"A_KEY": CANARY}}
    )
    assert created.pop("RevisionId")
    assert created == {
        "FunctionName": "rotate",
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "main.handler",
        "CodeSize": len(code),
        "Description": "rotates",
        "Timeout": 30,
        "MemorySize": 256,
        "LastModified": "2026-01-01T12:00:00.000+0000",
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/rotate"},
        "Environment": {"Variables": {"A_KEY": CANARY}},
    }


def test_the_defaults_are_lambdas(room: FunctionRoom) -> None:
    created = room.created()
    assert (created["Timeout"], created["MemorySize"], created["Description"]) == (3, 128, "")
    assert "Environment" not in created
    assert "Layers" not in created


def test_code_and_environment_rest_sealed(room: FunctionRoom) -> None:
    code = zipped({"main.py": CANARY.encode() * 100})
    room.created(Code={"ZipFile": code}, Environment={"Variables": {"A_KEY": CANARY}})
    stored = room.unit.find(FUNCTION_VERSIONS, ARN, "$LATEST")
    assert stored is not None
    assert CANARY.encode() not in (stored.sealed_environment or b"")
    assert load_code(room.unit, room.root_key, stored.code_id) == code
    for part in room.unit.scan(CODE_PARTS, stored.code_id):
        assert CANARY.encode() not in part.sealed
        assert code[:30] not in part.sealed


def test_what_is_not_there_is_as_good_as_not_said(room: FunctionRoom) -> None:
    room.created(
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        DeadLetterConfig={"TargetArn": ""},
        FileSystemConfigs=[],
        KMSKeyArn="",
        SnapStart={"ApplyOn": "None"},
        Layers=[],
        Environment={},
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig is not supported here."),
        ({"KMSKeyArn": "arn:aws:kms:a:1:key/x"}, "KMSKeyArn is not supported here."),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart is not supported here."),
        (
            {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-central-1:111122223333:q"}},
            "DeadLetterConfig is not supported here.",
        ),
        (
            {"PackageType": "Image"},
            "Code comes as a zip file in the call (ZipFile); there are no buckets and no images here.",
        ),
        (
            {"Code": {"S3Bucket": "bucket", "S3Key": "key"}},
            "Code comes as a zip file in the call (ZipFile); there are no buckets and no images here.",
        ),
        (
            {"Code": {"ImageUri": "image"}},
            "Code comes as a zip file in the call (ZipFile); there are no buckets and no images here.",
        ),
        (
            {"Code": {"ZipFile": zipped(), "S3Bucket": "bucket", "S3Key": "key"}},
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        ),
        ({"Code": {}}, "Please provide a ZipFile."),
        (
            {"Code": {"ZipFile": b"not a zip"}},
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            {"Runtime": "nodejs20.x"},
            "The runtime nodejs20.x is not supported here: functions are written in Python, 3.9 or later.",
        ),
        (
            {"Runtime": "python3.8"},
            "The runtime python3.8 is not supported here: functions are written in Python, 3.9 or later.",
        ),
        (
            {"Runtime": None},
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ),
        (
            {"Handler": None},
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ),
        (
            {"Environment": {"Variables": {"A_KEY": "x" * 4092}}},
            "Lambda was unable to configure your environment variables because the environment variables you "
            "have provided exceeded the 4KB limit.",
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x", "TZ": "y", "FREE": "z"}}},
            "Lambda was unable to configure your environment variables because the environment variables you "
            "have provided contains reserved keys that are currently not supported for modification. Reserved "
            "keys used in this request: AWS_REGION, TZ",
        ),
        ({"Tags": {"aws:x": "y"}}, "Tag keys that begin with aws: are reserved for system use."),
        ({"Tags": {f"k{n}": "v" for n in range(51)}}, "Cannot exceed quota of 50 tags per function."),
        (
            {"Layers": [f"arn:aws:lambda:eu-central-1:{ACCOUNT}:layer:drivers:1"]},
            f"Layer version arn:aws:lambda:eu-central-1:{ACCOUNT}:layer:drivers:1 does not exist.",
        ),
        (
            {"Layers": [f"arn:aws:lambda:eu-central-1:{ACCOUNT}:layer:l{n}:1" for n in range(6)]},
            "Cannot reference more than 5 layers.",
        ),
        (
            {"FunctionName": "rotate:live"},
            "A function is created and changed under its name without a qualifier.",
        ),
    ],
)
def test_what_is_not_supported_or_wrong_is_refused(
    room: FunctionRoom, members: dict[str, Any], message: str
) -> None:
    room.execution_role("rotate-role")
    sent = {key: value for key, value in request(**members).items() if value is not None}
    assert room.refused(InvalidParameterValueException, CREATE_FUNCTION, sent) == message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"Timeout": 901},
            "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
        ),
        (
            {"MemorySize": 10241},
            "Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
        ),
        (
            {"FunctionName": "a" * 65},
            f"Value '{'a' * 65}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
    ],
    ids=["time", "memory", "name"],
)
def test_lambdas_limits_hold(room: FunctionRoom, members: dict[str, Any], message: str) -> None:
    room.execution_role("rotate-role")
    told = room.refused(ValidationException, CREATE_FUNCTION, request(**members))
    assert told == f"1 validation error detected: {message}"


def test_the_largest_that_is_allowed_is_allowed(room: FunctionRoom) -> None:
    room.created("a" * 64, Timeout=900, MemorySize=10_240, Environment={"Variables": {"A_KEY": "x" * 4091}})


@pytest.mark.parametrize(
    "trust",
    [
        None,
        {**LAMBDA_TRUST, "Principal": {"Service": "ec2.amazonaws.com"}},
        {**LAMBDA_TRUST, "Effect": "Deny"},
    ],
    ids=["no role", "trusts another", "denies"],
)
def test_the_role_must_be_there_and_trust_lambda(room: FunctionRoom, trust: Any) -> None:
    if trust is not None:
        room.role("rotate-role", trust)
    told = room.refused(InvalidParameterValueException, CREATE_FUNCTION, request())
    assert told == "The role defined for the function cannot be assumed by Lambda."


def test_a_role_may_trust_lambda_for_its_own_functions_only(room: FunctionRoom) -> None:
    for account, name in ((ACCOUNT, "own"), (OTHER_ACCOUNT, "foreign")):
        condition = {"StringEquals": {"aws:SourceAccount": account}}
        room.role(name, {**LAMBDA_TRUST, "Condition": condition})
    room.created("one", Role=f"arn:aws:iam::{ACCOUNT}:role/own")
    foreign = request(FunctionName="two", Role=f"arn:aws:iam::{ACCOUNT}:role/foreign")
    room.refused(InvalidParameterValueException, CREATE_FUNCTION, foreign)


def test_whoever_makes_a_function_must_be_allowed_to_pass_its_role(room: FunctionRoom) -> None:
    room.execution_role("rotate-role")
    carol = room.user("carol", allow("lambda:CreateFunction"))
    told = room.refused(AccessDeniedException, CREATE_FUNCTION, request(), principal=carol)
    assert told == (
        f"User: {carol.arn} is not authorized to perform: iam:PassRole on resource: {ROLE} "
        "because no identity-based policy allows the iam:PassRole action"
    )
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    dave = room.user(
        "dave", allow("lambda:CreateFunction"), allow("iam:PassRole", resource=ROLE, Condition=to_lambda)
    )
    assert room.run(CREATE_FUNCTION, request(), principal=dave)["FunctionArn"] == ARN
    to_other = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    erin = room.user("erin", allow("lambda:*"), allow("iam:PassRole", Condition=to_other))
    room.refused(AccessDeniedException, CREATE_FUNCTION, request(FunctionName="two"), principal=erin)


def test_a_role_of_another_account_cannot_be_passed(room: FunctionRoom) -> None:
    foreign = room.execution_role("foreign", OTHER_ACCOUNT)
    told = room.refused(AccessDeniedException, CREATE_FUNCTION, request(Role=foreign.arn))
    assert told == (
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: iam:PassRole on resource: {foreign.arn}"
    )


def test_a_function_cannot_be_made_in_another_account(room: FunctionRoom) -> None:
    room.execution_role("rotate-role")
    arn = ARN.replace(ACCOUNT, OTHER_ACCOUNT)
    told = room.refused(AccessDeniedException, CREATE_FUNCTION, request(FunctionName=arn))
    assert told == (
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: lambda:CreateFunction on resource: {arn}"
    )


def test_a_name_is_taken_once(room: FunctionRoom) -> None:
    room.created()
    told = room.refused(ResourceConflictException, CREATE_FUNCTION, request())
    assert told == "Function already exist: rotate"
    room.created("Rotate")


def test_publishing_at_once_makes_version_1(room: FunctionRoom) -> None:
    created = room.created(Publish=True)
    assert (created["Version"], created["FunctionArn"]) == ("1", f"{ARN}:1")
    assert room.run(GET_FUNCTION_CONFIGURATION, {"FunctionName": "rotate"})["Version"] == "$LATEST"


def test_a_function_is_read_by_name_arn_and_qualifier(room: FunctionRoom) -> None:
    room.created(Tags={"team": "db"}, Publish=True)
    for name in ("rotate", ARN, f"{ACCOUNT}:function:rotate"):
        found = room.run(GET_FUNCTION, {"FunctionName": name})
        assert found["Configuration"]["FunctionArn"] == ARN
        assert found["Tags"] == {"team": "db"}
        assert found["Code"] == {"RepositoryType": "S3"}
    for name, qualifier, version in (
        (f"{ARN}:1", None, "1"),
        ("rotate", "1", "1"),
        ("rotate:1", "1", "1"),
        ("rotate", "$LATEST", "$LATEST"),
    ):
        named = (
            {"FunctionName": name} if qualifier is None else {"FunctionName": name, "Qualifier": qualifier}
        )
        found = room.run(GET_FUNCTION, named)
        assert found["Configuration"]["Version"] == version
        assert found["Configuration"]["FunctionArn"] == f"{ARN}:{version}"
        assert "Tags" not in found


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"FunctionName": "nobody"}, f"Function not found: {ARN.replace('rotate', 'nobody')}"),
        ({"FunctionName": "rotate", "Qualifier": "9"}, f"Function not found: {ARN}:9"),
        ({"FunctionName": "rotate:live"}, f"Function not found: {ARN}:live"),
        (
            {"FunctionName": ARN.replace("eu-central-1", "us-east-1")},
            "Functions from 'us-east-1' are not reachable in this region ('eu-central-1')",
        ),
        ({"FunctionName": "a.b"}, "Function not found: a.b"),
    ],
)
def test_what_is_not_there_is_not_found(room: FunctionRoom, named: dict[str, str], message: str) -> None:
    room.created()
    for operation in (GET_FUNCTION, GET_FUNCTION_CONFIGURATION):
        assert room.refused(ResourceNotFoundException, operation, named) == message


def test_two_qualifiers_must_agree(room: FunctionRoom) -> None:
    room.created()
    named = {"FunctionName": "rotate:1", "Qualifier": "2"}
    assert room.refused(InvalidParameterValueException, GET_FUNCTION, named) == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )


def test_who_may_not_learns_nothing_of_what_is_there(room: FunctionRoom) -> None:
    room.created()
    carol = room.user("carol")
    for name in ("rotate", "nobody"):
        told = room.refused(AccessDeniedException, GET_FUNCTION, {"FunctionName": name}, principal=carol)
        assert told == (
            f"User: {carol.arn} is not authorized to perform: lambda:GetFunction on resource: "
            f"{ARN.replace('rotate', name)} because no identity-based policy allows the lambda:GetFunction action"
        )


def test_policies_see_the_tags_of_a_function(room: FunctionRoom) -> None:
    room.created(Tags={"team": "db"})
    room.created("other")
    condition = {"StringEquals": {"aws:ResourceTag/team": "db"}}
    carol = room.user("carol", allow("lambda:GetFunction", Condition=condition))
    room.run(GET_FUNCTION, {"FunctionName": "rotate"}, principal=carol)
    room.refused(AccessDeniedException, GET_FUNCTION, {"FunctionName": "other"}, principal=carol)


def test_functions_are_listed_by_name_in_pages(room: FunctionRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("c", "a", "b"):
        room.created(name, Publish=name == "b")
    first = room.run(LIST_FUNCTIONS, {"MaxItems": 2})
    assert [each["FunctionName"] for each in first["Functions"]] == ["a", "b"]
    assert all("State" not in each for each in first["Functions"])
    rest = room.run(LIST_FUNCTIONS, {"Marker": first["NextMarker"]})
    assert [each["FunctionName"] for each in rest["Functions"]] == ["c"]
    assert "NextMarker" not in rest
    assert room.run(LIST_FUNCTIONS, principal=root(OTHER_ACCOUNT)) == {"Functions": []}
    everything, marker = [], {}
    while True:
        page = room.run(LIST_FUNCTIONS, {"FunctionVersion": "ALL", "MaxItems": 1, **marker})
        everything += [each["FunctionArn"].rpartition("function:")[2] for each in page["Functions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert everything == ["a:$LATEST", "b:$LATEST", "b:1", "c:$LATEST"]
    assert room.refused(InvalidParameterValueException, LIST_FUNCTIONS, {"Marker": "x"}) == (
        "The Marker was not given out by this operation."
    )


def test_a_deleted_function_leaves_nothing_behind(room: FunctionRoom) -> None:
    before = room.unit.state()
    room.created(Publish=True)
    room.run(CREATE_ALIAS, {"FunctionName": "rotate", "Name": "live", "FunctionVersion": "1"})
    statement = {
        "StatementId": "s",
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
    }
    room.run(ADD_PERMISSION, {"FunctionName": "rotate", **statement})
    assert room.run(DELETE_FUNCTION, {"FunctionName": "rotate"}) == {"StatusCode": 204}
    for kind in (FUNCTION_VERSIONS, FUNCTION_ALIASES, FUNCTION_POLICIES):
        assert room.unit.scan(kind, ARN) == []  # type: ignore[arg-type]
    left = {name for name, *_ in room.unit.records} - {name for name, *_ in before[0]}
    assert left == {"role"}
    assert room.unit.scan(STORED_CODE, "") == []
    room.refused(ResourceNotFoundException, GET_FUNCTION, {"FunctionName": "rotate"})
    told = room.refused(ResourceNotFoundException, DELETE_FUNCTION, {"FunctionName": "rotate"})
    assert told == f"Function not found: {ARN}"


def test_a_version_is_deleted_alone_unless_an_alias_names_it(room: FunctionRoom) -> None:
    room.created(Publish=True)
    room.run(CREATE_ALIAS, {"FunctionName": "rotate", "Name": "live", "FunctionVersion": "1"})
    first = {"FunctionName": "rotate", "Qualifier": "1"}
    assert room.refused(ResourceConflictException, DELETE_FUNCTION, first) == (
        "Unable to delete version because the following aliases reference it: [live]"
    )
    latest = {"FunctionName": "rotate", "Qualifier": "$LATEST"}
    assert room.refused(InvalidParameterValueException, DELETE_FUNCTION, latest) == (
        "$LATEST version cannot be deleted without deleting the function."
    )
    room.unit.delete(FUNCTION_ALIASES, ARN, "live")
    room.run(DELETE_FUNCTION, first)
    room.run(DELETE_FUNCTION, first)
    room.refused(ResourceNotFoundException, GET_FUNCTION, first)
    stored = room.unit.find(FUNCTION_VERSIONS, ARN, "$LATEST")
    assert stored is not None
    assert load_code(room.unit, room.root_key, stored.code_id) == zipped()


def test_version_numbers_are_not_given_twice(room: FunctionRoom) -> None:
    room.created(Publish=True)
    room.run(DELETE_FUNCTION, {"FunctionName": "rotate", "Qualifier": "1"})
    assert room.run(PUBLISH_VERSION, {"FunctionName": "rotate"})["Version"] == "2"


def test_tags_are_set_listed_and_removed(room: FunctionRoom) -> None:
    room.created(Tags={"team": "db", "stage": "test"})
    room.run(TAG_RESOURCE, {"Resource": ARN, "Tags": {"stage": "live", "cost": "1"}})
    assert room.run(LIST_TAGS, {"Resource": ARN})["Tags"] == {"team": "db", "stage": "live", "cost": "1"}
    room.run(UNTAG_RESOURCE, {"Resource": ARN, "TagKeys": ["team", "unknown"]})
    assert room.run(LIST_TAGS, {"Resource": ARN})["Tags"] == {"stage": "live", "cost": "1"}
    many = {"Resource": ARN, "Tags": {f"k{n}": "v" for n in range(49)}}
    assert room.refused(InvalidParameterValueException, TAG_RESOURCE, many) == (
        "Cannot exceed quota of 50 tags per function."
    )
    missing = {"Resource": ARN.replace("rotate", "nobody")}
    for operation, more in ((LIST_TAGS, {}), (TAG_RESOURCE, {"Tags": {}}), (UNTAG_RESOURCE, {"TagKeys": []})):
        told = room.refused(ResourceNotFoundException, operation, {**missing, **more})
        assert told == f"Function not found: {missing['Resource']}"


def test_policies_see_tags_in_requests(room: FunctionRoom) -> None:
    room.created()
    room.execution_role("two-role")
    condition = {"StringEquals": {"aws:RequestTag/team": "db"}}
    carol = room.user("carol", allow("lambda:*", Condition=condition), allow("iam:PassRole"))
    two = request(FunctionName="two", Role=ROLE.replace("rotate", "two"))
    room.refused(AccessDeniedException, CREATE_FUNCTION, two, principal=carol)
    room.run(CREATE_FUNCTION, {**two, "Tags": {"team": "db"}}, principal=carol)
    room.run(TAG_RESOURCE, {"Resource": ARN, "Tags": {"team": "db"}}, principal=carol)
    room.refused(AccessDeniedException, TAG_RESOURCE, {"Resource": ARN, "Tags": {"a": "b"}}, principal=carol)
    keys = room.user(
        "keys",
        allow("lambda:*"),
        deny("lambda:UntagResource", Condition={"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}),
    )
    room.refused(
        AccessDeniedException, UNTAG_RESOURCE, {"Resource": ARN, "TagKeys": ["team"]}, principal=keys
    )


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("", "This server does not run functions."),
        ("it cannot", "This server does not run functions: it cannot."),
    ],
)
def test_where_functions_are_not_run_none_is_made(room: FunctionRoom, reason: str, message: str) -> None:
    room.execution_role("rotate-role")
    room.resources = replace(room.resources, functions=None, no_functions=reason)
    assert room.refused(InvalidParameterValueException, CREATE_FUNCTION, request()) == message
    assert room.unit.scan(STORED_CODE, "") == []


def test_whoever_gives_a_new_function_tags_must_be_allowed_to_tag_it(room: FunctionRoom) -> None:
    room.execution_role("rotate-role")
    carol = room.user("carol", allow("lambda:CreateFunction"), allow("iam:PassRole"))
    told = room.refused(AccessDeniedException, CREATE_FUNCTION, request(Tags={"team": "db"}), principal=carol)
    assert told == (
        f"User: {carol.arn} is not authorized to perform: lambda:TagResource on resource: {ARN} "
        "because no identity-based policy allows the lambda:TagResource action"
    )
    assert room.unit.scan(STORED_CODE, "") == []
    room.run(CREATE_FUNCTION, request(Tags={}), principal=carol)
    of_team = {"StringEquals": {"aws:RequestTag/team": "db"}}
    dave = room.user(
        "dave",
        allow("lambda:CreateFunction"),
        allow("iam:PassRole"),
        allow("lambda:TagResource", Condition=of_team),
    )
    two = request(FunctionName="two", Tags={"team": "web"})
    room.refused(AccessDeniedException, CREATE_FUNCTION, two, principal=dave)
    room.run(CREATE_FUNCTION, {**two, "Tags": {"team": "db"}}, principal=dave)


def test_a_refused_creation_does_its_slow_work_last(
    room: FunctionRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.created()
    monkeypatch.setattr(functions, "_seal", lambda *_: pytest.fail("the code was looked at"))
    room.refused(ResourceConflictException, CREATE_FUNCTION, request())


def test_code_and_layers_must_fit_together(room: FunctionRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "MAXIMUM_UNZIPPED", 10)
    room.execution_role("rotate-role")
    told = room.refused(InvalidParameterValueException, CREATE_FUNCTION, request())
    assert told.startswith(
        "Function code combined with layers exceeds the maximum allowed size of 10 bytes. The actual size is "
    )
