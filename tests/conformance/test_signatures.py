"""Every way a signature can be wrong, met over TCP: code, text, status, and one record of each refusal.

Codes and texts: fact sheet sigv4 sections 2 to 7; the cases are its section 14.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.running import REGION, Server, running
from support.signing import (
    JSON_TYPE,
    Answer,
    Request,
    json_call,
    presigned,
    query_call,
    send,
    signed,
)
from support.trails import records_of

CANARY = "canary-in-the-signature-mine"
NAME = "signatures/held"
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
UNKNOWN = "The security token included in the request is invalid."
OTHER_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signatures") / "data"


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[Server]:
    options = ["--data-dir", str(data_dir), "--root-key", f"file:{data_dir.parent}/root.key"]
    with running([*options, "--workers", "1"], data_dir.parent / "log") as started:
        started.client("secretsmanager").create_secret(Name=NAME, SecretString=CANARY)
        yield started
    assert CANARY not in started.log()


def get(server: Server, **options: Any) -> Request:
    return json_call(server, "GetSecretValue", {"SecretId": NAME}, **options)


def refused(server: Server, data_dir: Path, request: Request) -> tuple[int, str, str]:
    """Return the error `request` meets, after looking at everything else an error must and must not be."""
    answer = send(server, request)
    assert CANARY.encode() not in answer.body
    _verify_frame(answer)
    [record] = records_of(data_dir, answer.request_id)
    status, code, message = answer.error
    assert record["errorCode"] == code
    assert record.get("errorMessage", "") == message[:1024]
    assert record["responseElements"] is None
    assert record["userIdentity"]["type"] == "Unknown"
    assert CANARY not in str(record)
    return status, code, message


def _verify_frame(answer: Answer) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.request_id)
    sent = dt.datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=dt.UTC)
    assert abs((dt.datetime.now(dt.UTC) - sent).total_seconds()) < 120


def now(minutes: float = 0) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)


Spoil = Callable[[Server], Request]

SPOILED: dict[str, tuple[Spoil, str, str]] = {
    "no Authorization": (
        lambda s: get(s).without("Authorization"),
        "MissingAuthenticationTokenException",
        "Request is missing Authentication Token",
    ),
    "Authorization of another scheme": (
        lambda s: get(s).having("Authorization", "Bearer x"),
        "MissingAuthenticationTokenException",
        "Request is missing Authentication Token",
    ),
    "signed both ways": (
        lambda s: Request(**{**vars(get(s)), "path": "/?X-Amz-Algorithm=AWS4-HMAC-SHA256"}),
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    ),
    "nothing but the algorithm": (
        lambda s: get(s).having("Authorization", "AWS4-HMAC-SHA256").without("X-Amz-Date"),
        "IncompleteSignatureException",
        r"Authorization header requires 'Credential' parameter. "
        r"Authorization header requires 'Signature' parameter. "
        r"Authorization header requires 'SignedHeaders' parameter. "
        r"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        r"Authorization=…",
    ),
    "no Signature": (
        lambda s: get(s).replacing("Authorization", ", Signature=", ", Other="),
        "IncompleteSignatureException",
        "Authorization header requires 'Signature' parameter. Authorization=…",
    ),
    "no X-Amz-Date": (
        lambda s: get(s).without("X-Amz-Date"),
        "IncompleteSignatureException",
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=…",
    ),
    "a part without its equals sign": (
        lambda s: get(s).replacing("Authorization", "Credential=", "Credential"),
        "IncompleteSignatureException",
        "…not a valid key=value pair (missing equal-sign) in Authorization header: …",
    ),
    "a date in another form": (
        lambda s: get(s).having("X-Amz-Date", "201"),
        "IncompleteSignatureException",
        "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601",
    ),
    "a day that is none": (
        lambda s: get(s).having("X-Amz-Date", "20260230T000000Z"),
        "IncompleteSignatureException",
        "Date must be in ISO-8601 'basic format'. Got '20260230T000000Z'. "
        "See http://en.wikipedia.org/wiki/ISO_8601",
    ),
    "sixteen minutes old": (
        lambda s: get(s, at=now(-16)),
        "InvalidSignatureException",
        "Signature expired: … is now earlier than … (… - 15 min.)",
    ),
    "sixteen minutes ahead": (
        lambda s: get(s, at=now(16)),
        "InvalidSignatureException",
        "Signature not yet current: … is still later than … (… + 15 min.)",
    ),
    "host is not signed": (
        lambda s: get(s).replacing("Authorization", "host;", ""),
        "InvalidSignatureException",
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "another algorithm": (
        lambda s: get(s).replacing("Authorization", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA25"),
        "IncompleteSignatureException",
        "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). ",
    ),
    "a scope of four parts": (
        lambda s: get(s).replacing("Authorization", "/aws4_request", ""),
        "IncompleteSignatureException",
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '…'",
    ),
    "no region's name": (
        lambda s: get(s, region="c"),
        "InvalidSignatureException",
        "Credential should be scoped to a valid region, not 'c'.",
    ),
    "the scope of another service": (
        lambda s: signed(
            s,
            "s3",
            {"Content-Type": JSON_TYPE, "X-Amz-Target": "secretsmanager.GetSecretValue"},
            b'{"SecretId": "x"}',
        ),
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'secretsmanager'.",
    ),
    "another terminator": (
        lambda s: get(s).replacing("Authorization", "aws4_request", "aws4_requesX"),
        "InvalidSignatureException",
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4_requesX'.",
    ),
    "another day in the scope": (
        lambda s: get(s).replacing("Authorization", f"/{now():%Y%m%d}/", "/20200101/"),
        "InvalidSignatureException",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20200101' != '…', from '…'.",
    ),
    "a scope all wrong": (
        lambda s: get(s).replacing(
            "Authorization", f"/{now():%Y%m%d}/{REGION}/secretsmanager/aws4_request", "/b/c/d/e"
        ),
        "InvalidSignatureException",
        "Credential should be scoped to a valid region, not 'c'. "
        "Credential should be scoped to correct service: 'secretsmanager'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'b' != '…', from '…'.",
    ),
    "an unknown key": (
        lambda s: get(s, credentials=("AKIAIOSFODNN7EXAMPLE", OTHER_SECRET)),
        "UnrecognizedClientException",
        UNKNOWN,
    ),
    "another secret": (
        lambda s: get(s, credentials=(s.access_key_id, OTHER_SECRET)),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "a token with a long-term key": (
        lambda s: get(s, token="FwoGZXIvYXdzEXAMPLE"),
        "UnrecognizedClientException",
        UNKNOWN,
    ),
    "a body byte changed": (
        lambda s: Request(**{**vars(get(s)), "body": get(s).body.replace(b"held", b"helD")}),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "a signature digit changed": (
        lambda s: _with_another_digit(get(s)),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "a signature in upper case": (
        lambda s: _with_upper_case(get(s)),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "a signature of one digit": (
        lambda s: get(s).having(
            "Authorization", re.sub("Signature=.*", "Signature=0", get(s).header("Authorization"))
        ),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "another operation": (
        lambda s: get(s).having("X-Amz-Target", "secretsmanager.DeleteSecret"),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "another host": (
        lambda s: get(s).having("Host", "secretsmanager.eu-central-1.amazonaws.com"),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "no host at all": (lambda s: get(s).without("Host"), "InvalidSignatureException", MISMATCH),
    "a signed header taken away": (
        lambda s: get(s).without("Content-Type"),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "a query added": (
        lambda s: Request(**{**vars(get(s)), "path": "/?a=b"}),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "a digest of another body": (
        lambda s: signed(
            s,
            "secretsmanager",
            {"X-Amz-Target": "secretsmanager.GetSecretValue", "X-Amz-Content-SHA256": "0" * 64},
            b'{"SecretId": "x"}',
        ),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "an unsigned payload": (
        lambda s: signed(
            s,
            "secretsmanager",
            {"X-Amz-Target": "secretsmanager.GetSecretValue", "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"},
            b'{"SecretId": "x"}',
        ),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "Authorization twice": (
        lambda s: _twice(get(s), "Authorization"),
        "IncompleteSignatureException",
        "'AWS4-HMAC-SHA256' not a valid key=value pair (missing equal-sign) in Authorization header: '…'.",
    ),
    "X-Amz-Date twice": (
        lambda s: _twice(get(s), "X-Amz-Date"),
        "IncompleteSignatureException",
        "Date must be in ISO-8601 'basic format'. Got '…,…'. See http://en.wikipedia.org/wiki/ISO_8601",
    ),
    "X-Amz-Target twice": (
        lambda s: _twice(get(s), "X-Amz-Target"),
        "UnknownOperationException",
        "",
    ),
    "Host twice": (lambda s: get(s).adding("Host", "other"), "InvalidSignatureException", MISMATCH),
    "a token that is not signed": (
        lambda s: get(s).adding("X-Amz-Security-Token", "FwoGZXIvYXdzEXAMPLE"),
        "InvalidSignatureException",
        "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "a target that is not signed": (
        lambda s: signed(s, "secretsmanager", {"Content-Type": JSON_TYPE}, b"{}").adding(
            "X-Amz-Target", "secretsmanager.ListSecrets"
        ),
        "InvalidSignatureException",
        "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
    ),
}


def _with_another_digit(request: Request) -> Request:
    last = request.header("Authorization")[-1]
    value = request.header("Authorization")[:-1] + ("0" if last != "0" else "1")
    return request.having("Authorization", value)


def _with_upper_case(request: Request) -> Request:
    before, _, signature = request.header("Authorization").rpartition("=")
    # A digest without a letter from a to f would be its own upper case; one in 10^13 is.
    return request.having("Authorization", f"{before}={signature.upper()}")


def _twice(request: Request, name: str) -> Request:
    return request.adding(name, request.header(name))


def says(text: str, pattern: str) -> bool:
    """True when `text` is `pattern`, where `…` stands for anything on one line."""
    return re.fullmatch(".+".join(map(re.escape, pattern.split("…"))), text) is not None


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_signature_has_its_own_error(server: Server, data_dir: Path, case: str) -> None:
    spoil, code, text = SPOILED[case]
    status, found, message = refused(server, data_dir, spoil(server))
    assert (status, found) == (400, code)
    assert says(message, text), message


def test_what_was_spoiled_is_accepted_unspoiled(server: Server, data_dir: Path) -> None:
    """The oracle of the cases above: the same request without the change."""
    answer = send(server, get(server))
    assert answer.status == 200
    assert answer.json["SecretString"] == CANARY
    _verify_frame(answer)
    [record] = records_of(data_dir, answer.request_id)
    assert record["eventName"] == "GetSecretValue"
    assert "errorCode" not in record
    assert record["userIdentity"]["accessKeyId"] == server.access_key_id


ACCEPTED: dict[str, Spoil] = {
    "fourteen minutes old": lambda s: get(s, at=now(-14)),
    "fourteen minutes ahead": lambda s: get(s, at=now(14)),
    "an unsigned header more": lambda s: get(s).adding("X-Custom", "anything"),
    "spaces in the Authorization taken out": lambda s: get(s).replacing("Authorization", ", ", ","),
    "a signed value with more spaces": lambda s: signed(
        s,
        "secretsmanager",
        {"X-Amz-Target": "secretsmanager.GetSecretValue", "X-Custom": "a b"},
        get(s).body,
    ).having("X-Custom", "  a    b  "),
    "a digest of the body": lambda s: with_digest(s),
    "a signed header given twice": lambda s: (
        signed(
            s,
            "secretsmanager",
            {"X-Amz-Target": "secretsmanager.GetSecretValue", "X-Custom": "a,b"},
            get(s).body,
        )
        .having("X-Custom", "a")
        .adding("X-Custom", "b")
    ),
    "header names in other letters": lambda s: Request(
        **{**vars(get(s)), "headers": [(name.upper(), value) for name, value in get(s).headers]}
    ),
    "no Content-Type": lambda s: signed(
        s, "secretsmanager", {"X-Amz-Target": "secretsmanager.GetSecretValue"}, get(s).body
    ),
    "what the Go SDK signs": lambda s: signed(
        s,
        "secretsmanager",
        {
            "Content-Type": JSON_TYPE,
            "X-Amz-Target": "secretsmanager.GetSecretValue",
            "Amz-Sdk-Invocation-Id": "b7a1ae4d-5c4e-4b0f-b7f5-8f8f0f8cdd0e",
            "Amz-Sdk-Request": "attempt=1; max=3",
        },
        get(s).body,
    ),
}


def with_digest(server: Server) -> Request:
    body = get(server).body
    digest = hashlib.sha256(body).hexdigest()
    headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "X-Amz-Content-SHA256": digest}
    return signed(server, "secretsmanager", headers, body)


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_clients_may_vary_is_accepted(server: Server, case: str) -> None:
    answer = send(server, ACCEPTED[case](server))
    assert answer.status == 200, answer.body
    assert answer.json["SecretString"] == CANARY


def test_an_inactive_key_is_as_good_as_unknown_at_once(server: Server, data_dir: Path) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="signer")
    iam.put_user_policy(
        UserName="signer",
        PolicyName="all",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    )
    key = iam.create_access_key(UserName="signer")["AccessKey"]
    pair = (key["AccessKeyId"], key["SecretAccessKey"])
    assert send(server, get(server, credentials=pair)).json["SecretString"] == CANARY
    iam.update_access_key(UserName="signer", AccessKeyId=pair[0], Status="Inactive")
    unknown = (400, "UnrecognizedClientException", UNKNOWN)
    assert refused(server, data_dir, get(server, credentials=pair)) == unknown
    iam.update_access_key(UserName="signer", AccessKeyId=pair[0], Status="Active")
    assert send(server, get(server, credentials=pair)).json["SecretString"] == CANARY
    iam.delete_access_key(UserName="signer", AccessKeyId=pair[0])
    assert refused(server, data_dir, get(server, credentials=pair)) == unknown


def test_regions_are_namespaces_of_one_signature_each(server: Server) -> None:
    """A request signed for one region does not read another's secret of the same name."""
    elsewhere = send(server, get(server, region="us-west-2"))
    assert elsewhere.error == (
        400,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )


# The query protocol


QUERY_REFUSALS: dict[str, tuple[Spoil, str, str]] = {
    "no Authorization": (
        lambda s: query_call(s, "sts", WHO).without("Authorization"),
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
    ),
    "an unknown key": (
        lambda s: query_call(s, "sts", WHO, credentials=("AKIAIOSFODNN7EXAMPLE", OTHER_SECRET)),
        "InvalidClientTokenId",
        UNKNOWN,
    ),
    "another secret": (
        lambda s: query_call(s, "sts", WHO, credentials=(s.access_key_id, OTHER_SECRET)),
        "SignatureDoesNotMatch",
        MISMATCH,
    ),
    "a token with a long-term key": (
        lambda s: query_call(s, "sts", WHO, token="FwoGZXIvYXdzEXAMPLE"),
        "InvalidClientTokenId",
        UNKNOWN,
    ),
    "sixteen minutes old": (
        lambda s: query_call(s, "sts", WHO, at=now(-16)),
        "SignatureDoesNotMatch",
        "Signature expired: … is now earlier than … (… - 15 min.)",
    ),
    "a date in another form": (
        lambda s: query_call(s, "sts", WHO).having("X-Amz-Date", "201"),
        "IncompleteSignature",
        "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601",
    ),
    "the scope of another service": (
        lambda s: query_call(s, "iam", WHO),
        "SignatureDoesNotMatch",
        "Credential should be scoped to correct service: 'sts'.",
    ),
}


@pytest.mark.parametrize("case", QUERY_REFUSALS)
def test_query_services_say_it_in_xml(server: Server, data_dir: Path, case: str) -> None:
    spoil, code, text = QUERY_REFUSALS[case]
    request = spoil(server)
    answer = send(server, request)
    assert answer.headers["content-type"] == "text/xml"
    assert answer.body.startswith(b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>')
    assert f"<RequestId>{answer.request_id}</RequestId></ErrorResponse>".encode() in answer.body
    status, found, message = refused(server, data_dir, request)
    assert (status, found) == (403, code)
    assert says(message, text), message


# Presigned


def who(server: Server, **options: Any) -> Request:
    return presigned(server, "sts", WHO.decode(), **options)


def test_a_presigned_caller_identity_is_answered(server: Server) -> None:
    answer = send(server, who(server))
    assert answer.status == 200, answer.body
    assert b":root</Arn>" in answer.body
    assert answer.headers["content-type"] == "text/xml"


def test_a_presigned_caller_identity_binds_its_extra_header(server: Server, data_dir: Path) -> None:
    """As EKS tokens do (fact sheet sigv4 section 3)."""
    request = who(server, headers={"x-k8s-aws-id": "cluster-1"})
    assert "x-k8s-aws-id" in request.path
    assert send(server, request).status == 200
    mismatch = (403, "SignatureDoesNotMatch", MISMATCH)
    assert refused(server, data_dir, request.having("x-k8s-aws-id", "cluster-2")) == mismatch
    assert refused(server, data_dir, request.without("x-k8s-aws-id")) == mismatch


PRESIGNED_REFUSALS: dict[str, tuple[Spoil, str, str]] = {
    "expired": (
        lambda s: who(s, at=now(-2), expires=60),
        "SignatureDoesNotMatch",
        "Signature expired: … is now earlier than … (… - 1 min.)",
    ),
    "not yet current": (
        lambda s: who(s, at=now(16)),
        "SignatureDoesNotMatch",
        "Signature not yet current: … is still later than … (… + 15 min.)",
    ),
    "a signature digit changed": (
        lambda s: Request("GET", who(s).path[:-4] + "0000", who(s).headers),
        "SignatureDoesNotMatch",
        MISMATCH,
    ),
    "a longer life than was signed": (
        lambda s: _changed(who(s), "X-Amz-Expires=60", "X-Amz-Expires=600"),
        "SignatureDoesNotMatch",
        MISMATCH,
    ),
    "a life beyond seven days": (
        lambda s: who(s, expires=604_801),
        "IncompleteSignature",
        "X-Amz-Expires must be a number of seconds from 1 to 604800.",
    ),
    "a life of no time": (
        lambda s: who(s, expires=0),
        "IncompleteSignature",
        "X-Amz-Expires must be a number of seconds from 1 to 604800.",
    ),
    "no signature": (
        lambda s: _changed(who(s), "&X-Amz-Signature=", "&Other="),
        "IncompleteSignature",
        "AWS query-string parameters must include 'X-Amz-Signature'. Re-examine the query-string parameters.",
    ),
    "nothing but the algorithm": (
        lambda s: Request(
            "GET", f"/?{WHO.decode()}&X-Amz-Algorithm=AWS4-HMAC-SHA256", [("Host", f"127.0.0.1:{s.port}")]
        ),
        "IncompleteSignature",
        "AWS query-string parameters must include 'X-Amz-Credential'. "
        "AWS query-string parameters must include 'X-Amz-Signature'. "
        "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
        "AWS query-string parameters must include 'X-Amz-Date'. "
        "Re-examine the query-string parameters.",
    ),
    "an unknown key": (
        lambda s: who(s, credentials=("AKIAIOSFODNN7EXAMPLE", OTHER_SECRET)),
        "InvalidClientTokenId",
        UNKNOWN,
    ),
    "a token with a long-term key": (
        lambda s: who(s, token="FwoGZXIvYXdzEXAMPLE"),
        "InvalidClientTokenId",
        UNKNOWN,
    ),
    "another action than was signed": (
        lambda s: _changed(who(s), "GetCallerIdentity", "GetSessionToken"),
        "SignatureDoesNotMatch",
        MISMATCH,
    ),
}


def _changed(request: Request, old: str, new: str) -> Request:
    assert old in request.path
    return Request(request.method, request.path.replace(old, new), request.headers)


@pytest.mark.parametrize("case", PRESIGNED_REFUSALS)
def test_a_spoiled_presigned_request_has_its_own_error(server: Server, data_dir: Path, case: str) -> None:
    spoil, code, text = PRESIGNED_REFUSALS[case]
    status, found, message = refused(server, data_dir, spoil(server))
    assert (status, found) == (403, code)
    assert says(message, text), message


# As an SDK tells it


@pytest.mark.parametrize(
    ("credentials", "code", "text"),
    [
        (("AKIAIOSFODNN7EXAMPLE", OTHER_SECRET), "UnrecognizedClientException", UNKNOWN),
        (None, "InvalidSignatureException", MISMATCH),
    ],
    ids=["unknown key", "wrong secret"],
)
def test_boto3_raises_the_code_and_the_text(
    server: Server, credentials: tuple[str, str] | None, code: str, text: str
) -> None:
    client = server.client("secretsmanager", credentials=credentials or (server.access_key_id, OTHER_SECRET))
    with pytest.raises(ClientError) as refusal:
        client.get_secret_value(SecretId=NAME)
    assert refusal.value.response["Error"] == {"Code": code, "Message": text}
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert server.client("secretsmanager").get_secret_value(SecretId=NAME)["SecretString"] == CANARY
