"""The record of every kind of call, as CloudTrail writes it. Source: fact sheet cloudtrail, 1 to 3, 11, 12."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.accounts import TwoAccounts, two_accounts
from support.running import REGION, STRONGROOM
from support.signing import Answer, Request, json_call, query_call, send
from support.trails import records, records_of

ALWAYS = {
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
    "userAgent", "requestParameters", "responseElements", "requestID", "eventID", "readOnly", "eventType",
    "managementEvent", "recipientAccountId", "eventCategory",
}  # fmt: skip
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class House:
    """Two accounts on a server whose trail can be read."""

    def __init__(self, accounts: TwoAccounts, data_dir: Path) -> None:
        self.accounts, self.server, self.data_dir = accounts, accounts.server, data_dir
        self.secrets = accounts.client("secretsmanager")
        self.account_id = str(accounts.client("sts").get_caller_identity()["Account"])

    def call(self, operation: str, parameters: Any = None, **options: Any) -> Answer:
        """Make a call of a JSON service as the first account's root user."""
        return self.send(json_call(self.server, operation, parameters or {}, **options))

    def send(self, request: Request) -> Answer:
        return send(self.server, request)

    def recorded(self, answer: Answer) -> dict[str, Any]:
        """Return the one record of a call."""
        [record] = records_of(self.data_dir, answer.request_id)
        return record

    def secret(self, value: str = "") -> str:
        """Return the ARN of a new secret."""
        name = f"trail-{uuid.uuid4().hex[:8]}"
        return str(self.secrets.create_secret(Name=name, SecretString=value or "x")["ARN"])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("trail")
    with two_accounts(directory) as accounts:
        yield House(accounts, directory / "data")


@pytest.fixture
def canary() -> str:
    return f"canary-{uuid.uuid4().hex}"


def unseen(house: House, canary: str) -> None:
    """The value stands in no record, and in no file of the data directory at all."""
    for path in house.data_dir.rglob("*"):
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path


class TestASuccess:
    def test_of_a_read_has_cloudtrails_members(self, house: House, canary: str) -> None:
        arn = house.secret(canary)
        answer = house.call("GetSecretValue", {"SecretId": arn, "VersionStage": "AWSCURRENT"})
        assert answer.json["SecretString"] == canary
        record = house.recorded(answer)
        assert set(record) == ALWAYS | {"resources", "additionalEventData"}
        assert UUID.fullmatch(record.pop("eventID"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record.pop("eventTime"))
        assert re.fullmatch(r"1\.\d\d", record.pop("eventVersion"))
        assert record == {
            "userIdentity": {
                "type": "Root",
                "principalId": house.account_id,
                "arn": f"arn:aws:iam::{house.account_id}:root",
                "accountId": house.account_id,
                "accessKeyId": house.server.access_key_id,
            },
            "eventSource": "secretsmanager.amazonaws.com",
            "eventName": "GetSecretValue",
            "awsRegion": REGION,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "",
            "requestParameters": {"secretId": arn, "versionStage": "AWSCURRENT"},
            "responseElements": None,
            "additionalEventData": {
                "SecretVersionId": answer.json["VersionId"],
                "SecretVersionStages": ["AWSCURRENT"],
            },
            "requestID": answer.request_id,
            "readOnly": True,
            "resources": [{"accountId": house.account_id, "type": "AWS::SecretsManager::Secret", "ARN": arn}],
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": house.account_id,
            "eventCategory": "Management",
        }
        unseen(house, canary)

    def test_of_a_read_names_the_version_also_when_it_is_answered_from_memory(self, house: House) -> None:
        arn = house.secret()
        for version in ("first", "second"):
            if version == "second":
                house.call(
                    "PutSecretValue", {"SecretId": arn, "SecretString": "x", "ClientRequestToken": "t" * 32}
                )
            answers = [house.call("GetSecretValue", {"SecretId": arn}) for _ in range(4)]
            for answer in answers:
                assert house.recorded(answer)["additionalEventData"] == {
                    "SecretVersionId": answer.json["VersionId"],
                    "SecretVersionStages": ["AWSCURRENT"],
                }
        assert answers[0].json["VersionId"] == "t" * 32

    def test_of_a_write_holds_all_but_the_value(self, house: House, canary: str) -> None:
        token, name = str(uuid.uuid4()), f"trail-{uuid.uuid4().hex[:8]}"
        answer = house.call(
            "CreateSecret",
            {
                "Name": name,
                "SecretString": canary,
                "ClientRequestToken": token,
                "Description": "in clear",
                "Tags": [{"Key": "team", "Value": "a"}],
            },
        )
        record = house.recorded(answer)
        assert record["requestParameters"] == {
            "name": name,
            "clientRequestToken": token,
            "description": "in clear",
            "tags": [{"key": "team", "value": "a"}],
        }
        assert record["responseElements"]["aRN"] == answer.json["ARN"]
        assert (record["readOnly"], record["eventName"]) == (False, "CreateSecret")
        unseen(house, canary)

    def test_of_a_deletion_has_the_english_date_and_the_id_as_sent(self, house: House) -> None:
        name = house.secret().rpartition(":")[2][:-7]
        answer = house.call("DeleteSecret", {"SecretId": name, "RecoveryWindowInDays": 30})
        record = house.recorded(answer)
        assert record["requestParameters"] == {"secretId": name, "recoveryWindowInDays": 30}
        assert set(record["responseElements"]) == {"name", "deletionDate", "aRN"}
        assert re.fullmatch(
            r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M",
            record["responseElements"]["deletionDate"],
        )

    def test_of_a_random_password_does_not_hold_it(self, house: House) -> None:
        answer = house.call("GetRandomPassword", {"PasswordLength": 40, "ExcludePunctuation": True})
        record = house.recorded(answer)
        assert record["requestParameters"] == {"passwordLength": 40, "excludePunctuation": True}
        assert record["responseElements"] is None
        unseen(house, answer.json["RandomPassword"])

    def test_of_iam_is_filed_in_us_east_1_and_holds_no_secret_key(self, house: House) -> None:
        name = f"user-{uuid.uuid4().hex[:8]}"
        body = f"Action=CreateUser&Version=2010-05-08&UserName={name}".encode()
        made = house.recorded(house.send(query_call(house.server, "iam", body)))
        assert (made["eventSource"], made["awsRegion"]) == ("iam.amazonaws.com", "us-east-1")
        body = f"Action=CreateAccessKey&Version=2010-05-08&UserName={name}".encode()
        answer = house.send(query_call(house.server, "iam", body))
        secret = re.search(rb"<SecretAccessKey>(.+)</SecretAccessKey>", answer.body)
        key_id = re.search(rb"<AccessKeyId>(.+)</AccessKeyId>", answer.body)
        assert secret is not None
        assert key_id is not None
        record = house.recorded(answer)
        assert record["responseElements"]["accessKey"]["accessKeyId"] == key_id[1].decode()
        assert "secretAccessKey" not in record["responseElements"]["accessKey"]
        unseen(house, secret[1].decode())

    def test_of_kms_holds_no_plaintext(self, house: House, canary: str) -> None:
        key = house.accounts.client("kms").create_key()["KeyMetadata"]["KeyId"]
        plaintext = base64.b64encode(canary.encode()).decode()
        answer = house.call(
            "Encrypt", {"KeyId": key, "Plaintext": plaintext}, service="kms", prefix="TrentService"
        )
        assert answer.status == 200
        record = house.recorded(answer)
        assert record["requestParameters"] == {"keyId": key}
        assert (record["eventSource"], record["readOnly"]) == ("kms.amazonaws.com", True)
        unseen(house, canary)
        unseen(house, plaintext)
        unseen(house, answer.json["CiphertextBlob"])


class TestARefusal:
    def test_a_denied_call_names_who_was_denied_and_not_what_was_asked(self, house: House) -> None:
        arn = house.secret()
        name = f"user-{uuid.uuid4().hex[:8]}"
        iam = house.accounts.client("iam")
        user = iam.create_user(UserName=name)["User"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        answer = house.call(
            "GetSecretValue", {"SecretId": arn}, credentials=(key["AccessKeyId"], key["SecretAccessKey"])
        )
        status, code, message = answer.error
        assert (status, code) == (400, "AccessDeniedException")
        record = house.recorded(answer)
        assert record["errorCode"] == "AccessDenied"
        assert record["errorMessage"] == message
        assert message.startswith(
            f"User: {user['Arn']} is not authorized to perform: secretsmanager:GetSecretValue"
        )
        assert (record["requestParameters"], record["responseElements"]) == (None, None)
        assert record["userIdentity"] == {
            "type": "IAMUser",
            "principalId": user["UserId"],
            "arn": user["Arn"],
            "accountId": house.account_id,
            "accessKeyId": key["AccessKeyId"],
            "userName": name,
        }

    def test_a_modelled_error_is_recorded_as_it_was_sent(self, house: House) -> None:
        answer = house.call("GetSecretValue", {"SecretId": "no-such-secret"})
        record = house.recorded(answer)
        assert answer.error == (400, record["errorCode"], record["errorMessage"])
        assert record["errorCode"] == "ResourceNotFoundException"
        assert record["requestParameters"] == {"secretId": "no-such-secret"}
        assert record["readOnly"] is True

    def test_reading_a_deleted_secret_has_the_text_alarms_look_for(self, house: House) -> None:
        arn = house.secret()
        house.secrets.delete_secret(SecretId=arn)
        record = house.recorded(house.call("GetSecretValue", {"SecretId": arn}))
        assert record["errorCode"] == "InvalidRequestException"
        assert "secret because it was marked for deletion" in record["errorMessage"]

    def test_a_refused_write_is_recorded_without_its_value(self, house: House, canary: str) -> None:
        answer = house.call(
            "PutSecretValue",
            {"SecretId": "no-such-secret", "SecretString": canary, "ClientRequestToken": str(uuid.uuid4())},
        )
        record = house.recorded(answer)
        assert (record["errorCode"], record["readOnly"]) == ("ResourceNotFoundException", False)
        assert set(record["requestParameters"]) == {"secretId", "clientRequestToken"}
        unseen(house, canary)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"{", "SerializationException"),
            (b'{"SecretId":"canary-a","SecretId":"canary-b"}', "SerializationException"),
            (b'{"SecretId":["canary-c"]}', "SerializationException"),
            (b'{"SecretId":""}', "ValidationException"),
        ],
        ids=["no JSON", "a key twice", "a wrong type", "too short"],
    )
    def test_a_malformed_call_is_recorded_without_parameters(
        self, body: bytes, code: str, house: House
    ) -> None:
        answer = house.call("GetSecretValue", body)
        record = house.recorded(answer)
        assert answer.error == (400, code, record["errorMessage"])
        assert (record["errorCode"], record["requestParameters"]) == (code, None)
        assert (record["eventName"], record["readOnly"]) == ("GetSecretValue", True)
        assert record["recipientAccountId"] == house.account_id

    def test_an_over_long_value_stands_in_no_record(self, house: House, canary: str) -> None:
        answer = house.call("PutSecretValue", {"SecretId": "s", "SecretString": canary * 2000})
        assert answer.error[1] == "ValidationException"
        assert house.recorded(answer)["errorMessage"] == answer.error[2]
        unseen(house, canary)

    def test_an_unsigned_call_has_an_unknown_caller(self, house: House) -> None:
        request = json_call(house.server, "GetSecretValue", {"SecretId": "s"}).without("Authorization")
        answer = house.send(request)
        record = house.recorded(answer)
        assert answer.error == (400, "MissingAuthenticationTokenException", record["errorMessage"])
        assert record["userIdentity"] == {"type": "Unknown"}
        assert (record["errorCode"], record["requestParameters"]) == (
            "MissingAuthenticationTokenException",
            None,
        )

    def test_an_unknown_key_is_named_as_claimed(self, house: House) -> None:
        answer = house.call(
            "GetSecretValue", {"SecretId": "s"}, credentials=("AKIANOSUCHKEY0000000", "x" * 40)
        )
        record = house.recorded(answer)
        assert record["errorCode"] == answer.error[1] == "UnrecognizedClientException"
        assert record["userIdentity"] == {"type": "Unknown", "accessKeyId": "AKIANOSUCHKEY0000000"}

    def test_a_wrong_signature_is_filed_under_the_account_of_the_key_and_no_caller(
        self, house: House
    ) -> None:
        answer = house.call(
            "GetSecretValue", {"SecretId": "s"}, credentials=(house.server.access_key_id, "x" * 40)
        )
        record = house.recorded(answer)
        assert record["errorCode"] == answer.error[1] == "InvalidSignatureException"
        assert record["recipientAccountId"] == house.account_id
        assert record["userIdentity"] == {"type": "Unknown", "accessKeyId": house.server.access_key_id}

    def test_an_unknown_operation_is_recorded(self, house: House) -> None:
        answer = house.call("NoSuchOperation")
        record = house.recorded(answer)
        assert record["errorCode"] == answer.error[1] == "UnknownOperationException"
        assert (record["requestParameters"], record["readOnly"]) == (None, False)


class TestSeveralRecords:
    def test_a_batch_has_one_for_each_secret_and_one_of_its_own(self, house: House, canary: str) -> None:
        arns = [house.secret(canary), house.secret(canary)]
        answer = house.call("BatchGetSecretValue", {"SecretIdList": [*arns, "no-such-secret"]})
        assert len(answer.json["SecretValues"]) == 2
        found = records_of(house.data_dir, answer.request_id)
        assert sorted(each["eventName"] for each in found) == ["BatchGetSecretValue", *["GetSecretValue"] * 3]
        parts = {
            each["requestParameters"]["secretId"]: each
            for each in found
            if each["eventName"] == "GetSecretValue"
        }
        assert set(parts) == {*arns, "no-such-secret"}
        assert parts["no-such-secret"]["errorCode"] == "ResourceNotFoundException"
        assert all("errorCode" not in parts[arn] for arn in arns)
        assert "additionalEventData" not in parts["no-such-secret"]
        assert [parts[arn]["additionalEventData"]["SecretVersionId"] for arn in arns] == [
            value["VersionId"] for value in answer.json["SecretValues"]
        ]
        assert all(each["responseElements"] is None and each["readOnly"] for each in found)
        assert len({each["eventID"] for each in found}) == 4
        unseen(house, canary)

    @pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "denied"])
    def test_a_call_across_accounts_is_recorded_in_both(self, allowed: bool, house: House) -> None:
        arn = house.secret()
        other = house.accounts.other_account_id
        if allowed:
            statement = {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{other}:root"},
                "Action": "secretsmanager:DescribeSecret",
                "Resource": "*",
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            house.secrets.put_resource_policy(SecretId=arn, ResourcePolicy=policy)
        answer = house.call("DescribeSecret", {"SecretId": arn}, credentials=house.accounts.other_credentials)
        assert answer.status == (200 if allowed else 400)
        found = records_of(house.data_dir, answer.request_id)
        assert sorted(each["recipientAccountId"] for each in found) == sorted([house.account_id, other])
        assert len({each["sharedEventID"] for each in found}) == 1
        assert len({each["eventID"] for each in found}) == 2
        assert {each["userIdentity"]["accountId"] for each in found} == {other}
        assert {each.get("errorCode") for each in found} == {None if allowed else "AccessDenied"}
        told = {each["recipientAccountId"]: each for each in found}
        assert told[other]["userIdentity"]["type"] == "Root"
        assert told[house.account_id]["userIdentity"] == {
            "type": "AWSAccount",
            "principalId": other,
            "accountId": other,
        }

    def test_of_what_does_not_exist_an_account_that_was_only_named_hears_nothing(self, house: House) -> None:
        arn = f"arn:aws:secretsmanager:{REGION}:{house.account_id}:secret:no-such-secret-AbCdEf"
        answer = house.call("GetSecretValue", {"SecretId": arn}, credentials=house.accounts.other_credentials)
        assert answer.status == 400
        record = house.recorded(answer)
        assert record["recipientAccountId"] == house.accounts.other_account_id
        assert record["errorCode"] == "AccessDenied"
        # The same as of what does exist, so that nobody reads it from here.
        assert "sharedEventID" in record
        assert "resources" not in record

    def test_a_batch_across_accounts_tells_each_account_of_its_own_secrets(self, house: House) -> None:
        other = house.accounts.other_account_id
        hidden = house.secret()
        own = str(
            house.accounts.other_client("secretsmanager").create_secret(
                Name=f"trail-{uuid.uuid4().hex[:8]}", SecretString="x"
            )["ARN"]
        )
        answer = house.call(
            "BatchGetSecretValue",
            {"SecretIdList": [own, hidden]},
            credentials=house.accounts.other_credentials,
        )
        assert [each["ARN"] for each in answer.json["SecretValues"]] == [own]
        found = records_of(house.data_dir, answer.request_id)
        here = [each for each in found if each["recipientAccountId"] == house.account_id]
        there = [each for each in found if each["recipientAccountId"] == other]
        assert len(here) + len(there) == len(found)
        [record] = here
        assert (record["eventName"], record["errorCode"]) == ("GetSecretValue", "AccessDenied")
        assert record["requestParameters"] == {"secretId": hidden}
        assert record["userIdentity"] == {"type": "AWSAccount", "principalId": other, "accountId": other}
        assert [each["ARN"] for each in record["resources"]] == [hidden]
        assert own not in json.dumps(here)
        assert sorted(each["eventName"] for each in there) == ["BatchGetSecretValue", *["GetSecretValue"] * 2]
        [mine] = [each for each in there if each.get("sharedEventID") == record["sharedEventID"]]
        assert mine["requestParameters"] == {"secretId": hidden}

    def test_a_call_within_an_account_shares_nothing(self, house: House) -> None:
        assert "sharedEventID" not in house.recorded(
            house.call("DescribeSecret", {"SecretId": house.secret()})
        )


class TestLimits:
    def test_a_user_agent_is_kept_up_to_a_kilobyte(self, house: House) -> None:
        request = json_call(house.server, "GetRandomPassword", {})
        for agent, kept in (("a" * 1024, "a" * 1024), ("b" * 1025, "b" * 1024), ("é" * 600, "é" * 512)):
            record = house.recorded(house.send(request.having("User-Agent", agent)))
            assert record["userAgent"] == kept

    def test_parameters_over_a_hundred_kilobytes_are_replaced_by_their_size(self, house: House) -> None:
        key = house.accounts.client("kms").create_key()["KeyMetadata"]["KeyId"]
        given = {"KeyId": key, "Policy": "x" * 110_000}
        answer = house.call("PutKeyPolicy", given, service="kms", prefix="TrentService")
        assert answer.status == 400
        record = house.recorded(answer)
        kept = json.dumps({"keyId": key, "policy": given["Policy"]}, separators=(",", ":"))
        assert record["requestParameters"] == {"omitted": True, "originalSize": len(kept)}
        assert record["errorMessage"] == answer.error[2][:1024]

    def test_an_error_message_is_kept_up_to_a_kilobyte(self, house: House) -> None:
        answer = house.call("ListSecrets", {"Filters": [{"Key": "x" * 250, "Values": ["v"]}] * 10})
        message = answer.error[2]
        assert len(message) > 1024
        assert house.recorded(answer)["errorMessage"] == message[:1024]


def test_every_answer_of_a_client_is_recorded_once(house: House) -> None:
    ids = []
    arn = house.secret()
    for _ in range(20):
        ids.append(house.secrets.describe_secret(SecretId=arn)["ResponseMetadata"]["RequestId"])
        with pytest.raises(ClientError) as refused:
            house.secrets.describe_secret(SecretId="no-such-secret")
        ids.append(refused.value.response["ResponseMetadata"]["RequestId"])
    found = [each["requestID"] for each in records(house.data_dir)]
    assert all(found.count(each) == 1 for each in ids)


class TestTheCommand:
    """`strongroom trail verify` beside a server that runs."""

    @staticmethod
    def verify(data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [STRONGROOM, "trail", "verify", "--data-dir", str(data_dir), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_a_whole_trail_is_said_to_be_whole(self, house: House) -> None:
        house.secret()
        done = self.verify(house.data_dir)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(
            r"\d+ records in \d+ segments: every one is whole and in its place\.\n", done.stdout
        )

    def test_a_missing_one_is_refused(self, tmp_path: Path) -> None:
        done = self.verify(tmp_path)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == f"strongroom: {tmp_path} is not a data directory: it has no FORMAT file.\n"

    @pytest.fixture
    def copy(self, house: House, tmp_path: Path) -> Path:
        """A copy of the data directory, with three records at least of one worker and of the keeper."""
        for _ in range(3):
            house.recorded(house.call("DescribeSecret", {"SecretId": house.secret()}))
            token = {"ClientRequestToken": str(uuid.uuid4())}
            house.recorded(house.call("CreateSecret", {"Name": f"trail-{uuid.uuid4().hex[:8]}", **token}))
        return Path(shutil.copytree(house.data_dir, tmp_path / "copy"))

    @staticmethod
    def newest(data_dir: Path, slot: str) -> Path:
        return max((data_dir / "trail" / "segments" / slot).glob("*.jsonl"))

    def test_a_copy_is_whole(self, copy: Path) -> None:
        done = self.verify(copy, "--json")
        assert done.returncode == 0, done.stdout
        told = json.loads(done.stdout)
        assert (told["ok"], told["unfinished"], told["first_damage"], told["damages"]) == (True, 0, None, [])
        assert told["records"] > 6

    def test_an_altered_record_is_named_with_exit_code_4(self, copy: Path) -> None:
        path = self.newest(copy, "keeper")
        lines = path.read_bytes().splitlines(keepends=True)
        first = int(path.stem)
        assert b'"readOnly":false' in lines[0]
        path.write_bytes(b"".join([lines[0].replace(b'"readOnly":false', b'"readOnly":true '), *lines[1:]]))
        # Whether it was signed yet decides which of the two is told.
        chain = f"the chain breaks: record {first} before it, or this one, was altered"
        signed = f"record {first} is not the one that a checkpoint covers"
        done = self.verify(copy)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr in {
            f"DAMAGE at record {first + 1} of keeper/{path.name}, line 2: {chain}\n",
            f"DAMAGE at record {first} of keeper/{path.name}: {signed}\n",
        }
        is_signed = signed in done.stderr
        done = self.verify(copy, "--json")
        damage = {"slot": "keeper", "file": path.name, "line": 2, "record": first + 1, "reason": chain}
        if is_signed:
            damage.update(line=0, record=first, reason=signed)
        told = json.loads(done.stdout)
        assert (done.returncode, done.stderr, told["ok"]) == (4, "", False)
        assert (told["first_damage"], told["damages"]) == (damage, [damage])

    def test_records_of_writes_that_were_cut_off_are_missed(self, copy: Path) -> None:
        path = self.newest(copy, "keeper")
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]))
        done = self.verify(copy)
        assert done.returncode == 4
        assert re.fullmatch(
            rf"DAMAGE at record \d+ of keeper/{path.name}: records of writes \d+ to \d+ are missing at the end\n",
            done.stderr,
        )

    def test_half_a_record_at_the_end_is_told_and_is_no_damage(self, copy: Path) -> None:
        slots = sorted((copy / "trail" / "segments").glob("api-*"))
        path = next(path for slot in slots if (path := self.newest(copy, slot.name)).stat().st_size)
        path.write_bytes(path.read_bytes()[:-20])
        done = self.verify(copy)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("1 of the files end with a record that was not written to its end.\n")
