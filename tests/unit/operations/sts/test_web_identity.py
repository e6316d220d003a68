"""AssumeRoleWithWebIdentity: from a token to a session, by provider and trust policy of the role's account."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    ExpiredWebIdentityTokenException,
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
    InvalidParameterValueException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import PrincipalType, user_identity
from strongroom.identity.records import Role
from strongroom.names import oidc_provider_arn
from strongroom.operations.sts.web_identity import ASSUME_ROLE_WITH_WEB_IDENTITY
from strongroom.ports import OIDC_PROVIDERS
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, policy
from support.session_room import Credentials, SessionRoom
from support.web_issuer import AUDIENCE, ISSUER, claims, key_set, rsa_jwk, rsa_key, sign

GITHUB = "token.actions.githubusercontent.com"
SUBJECT = "system:serviceaccount:shop:web"
PROVIDER = oidc_provider_arn(ACCOUNT, ISSUER)
KEYS = key_set(rsa_jwk(rsa_key()))
NOT_AUTHORIZED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


class Issuers:
    """Stands for the network: gives the keys out once they were fetched."""

    def __init__(self, **published: Any) -> None:
        self.published = published
        self.fetched: list[str] = []
        self.known: dict[str, str] = {}

    def keys(self, url: str, key_id: str | None) -> str | None:
        return self.known.get(url)

    def fetch(self, url: str) -> None:
        self.fetched.append(url)
        if url not in self.published:
            raise IDPCommunicationErrorException("down")
        self.known[url] = json.dumps(self.published[url])


@pytest.fixture
def room() -> SessionRoom:
    room = SessionRoom()
    room.provider(ISSUER, AUDIENCE, jwks=KEYS)
    return room


def federating(*actions: str, provider: str = PROVIDER, **condition: Any) -> dict[str, Any]:
    """Return a statement that trusts a provider's subjects; conditions test for equality."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity", *actions],
    }
    return {**statement, "Condition": {"StringEquals": condition}} if condition else statement


def ask(room: SessionRoom, role: Role | str, token: str, now: dt.datetime = NOON, **more: Any) -> Any:
    arn = role if isinstance(role, str) else role.arn
    request = {"RoleArn": arn, "RoleSessionName": "run", "WebIdentityToken": token, **more}
    return room.run_unsigned(ASSUME_ROLE_WITH_WEB_IDENTITY, request, now=now)


def refusal(room: SessionRoom, role: Role | str, token: str, **more: Any) -> tuple[type[ServiceError], str]:
    before = room.unit.state()
    with pytest.raises(ServiceError) as caught:
        ask(room, role, token, **more)
    assert room.unit.state() == before
    assert token not in caught.value.message
    return type(caught.value), caught.value.message


def test_the_answer_and_the_session(room: SessionRoom) -> None:
    role = room.role("web", federating(), may=(allow("secretsmanager:*"),))
    answered, call = ask(room, role, sign(claims(NOON)))
    session = Credentials.of(answered)
    answered.pop("Credentials")
    assert answered == {
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.role_id}:run",
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/run",
        },
        "SubjectFromWebIdentityToken": SUBJECT,
        "Provider": PROVIDER,
        "Audience": AUDIENCE,
    }
    assert session.expires_at == NOON + dt.timedelta(hours=1)
    found = room.callers.find(room.unit, session.access_key_id, session.token)
    assert found is not None
    assert found.principal.type is PrincipalType.ASSUMED_ROLE
    assert found.context["aws:FederatedProvider"] == PROVIDER
    assert json.loads(orjson.dumps(found.identity))["sessionContext"]["webIdFederationData"] == {
        "federatedProvider": PROVIDER,
        "attributes": {},
    }
    assert room.may(found.principal, "secretsmanager:CreateSecret")
    assert user_identity(call.principal) == {
        "type": "WebIdentityUser",
        "principalId": f"{PROVIDER}:{AUDIENCE}:{SUBJECT}",
        "userName": SUBJECT,
        "identityProvider": PROVIDER,
    }


def test_roles_that_refuse_and_roles_that_are_not_there_sound_the_same(room: SessionRoom) -> None:
    other = room.provider("other.example.com", AUDIENCE, jwks=KEYS)
    token = sign(claims(NOON))
    roles: list[Role | str] = [
        room.role("subject", federating(**{f"{ISSUER}:sub": "system:serviceaccount:shop:admin"})),
        room.role("audience", federating(**{f"{ISSUER}:aud": "other"})),
        room.role("provider", federating(provider=other.arn)),
        room.role("people"),
        room.role("action", {**federating(), "Action": "sts:AssumeRole"}),
        f"arn:aws:iam::{ACCOUNT}:role/absent",
    ]
    for role in roles:
        assert refusal(room, role, token) == (AccessDeniedException, NOT_AUTHORIZED)
    right = room.role("right", federating(**{f"{ISSUER}:sub": SUBJECT, f"{ISSUER}:aud": AUDIENCE}))
    assert ask(room, right, token)


def test_the_provider_must_be_of_the_roles_account(room: SessionRoom) -> None:
    """Or anyone could register an issuer of his own and take roles of other accounts."""
    role = room.role("web", federating(), account_id=OTHER_ACCOUNT)
    for arn in (role.arn, "arn:aws:iam::999999999999:role/web", "arn:aws:iam::x:role/web", "x" * 20):
        assert refusal(room, arn, sign(claims(NOON))) == (
            InvalidIdentityTokenException,
            f"No OpenIDConnect provider found in your account for https://{ISSUER}",
        )
    room.unit.delete(OIDC_PROVIDERS, ACCOUNT, PROVIDER)
    assert (
        refusal(room, room.role("own", federating()), sign(claims(NOON)))[0] is InvalidIdentityTokenException
    )


@pytest.mark.parametrize("issuer", [f"http://{ISSUER}", ISSUER, f"https://{ISSUER}/", f"HTTPS://{ISSUER}"])
def test_the_issuer_is_matched_exactly(room: SessionRoom, issuer: str) -> None:
    assert refusal(room, room.role("web", federating()), sign(claims(NOON, iss=issuer))) == (
        InvalidIdentityTokenException,
        f"No OpenIDConnect provider found in your account for {issuer}",
    )


def test_bad_tokens_do_not_reach_the_trust_policy(room: SessionRoom) -> None:
    role = room.role("web", federating())
    expired = sign(claims(NOON))
    assert (
        refusal(room, role, expired, now=NOON + dt.timedelta(hours=1))[0] is ExpiredWebIdentityTokenException
    )
    assert refusal(room, role, sign(claims(NOON), rsa_key("second")))[0] is InvalidIdentityTokenException
    assert refusal(room, role, sign(claims(NOON, aud="elsewhere"))) == (
        InvalidIdentityTokenException,
        "Incorrect token audience",
    )
    assert refusal(room, role, "not-a-token")[0] is InvalidIdentityTokenException


def test_a_role_that_is_none_is_invalid(room: SessionRoom) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert refusal(room, arn, sign(claims(NOON))) == (ValidationException, f"{arn} is invalid")


def test_several_audiences_never_meet_a_test_for_one(room: SessionRoom) -> None:
    role = room.role("web", federating(**{f"{ISSUER}:aud": AUDIENCE}))
    assert refusal(room, role, sign(claims(NOON, aud=[AUDIENCE, "other"]))) == (
        AccessDeniedException,
        NOT_AUTHORIZED,
    )
    assert ask(room, role, sign(claims(NOON, aud=["app"], azp=AUDIENCE)))
    assert ask(room, role, sign(claims(NOON, aud=[AUDIENCE])))


def test_conditions_on_how_the_subject_was_authenticated(room: SessionRoom) -> None:
    condition = {"ForAnyValue:StringLike": {f"{ISSUER}:amr": "mfa*"}}
    role = room.role("web", {**federating(), "Condition": condition})
    assert ask(room, role, sign(claims(NOON, amr=["pwd", "mfa-hardware"])))
    assert refusal(room, role, sign(claims(NOON, amr=["pwd"]))) == (AccessDeniedException, NOT_AUTHORIZED)
    assert refusal(room, role, sign(claims(NOON))) == (AccessDeniedException, NOT_AUTHORIZED)


def test_a_github_workflow(room: SessionRoom) -> None:
    provider = room.provider(GITHUB, AUDIENCE, jwks=KEYS)
    condition = {
        "StringEquals": {f"{GITHUB}:aud": AUDIENCE, f"{GITHUB}:repository": "shop/web"},
        "StringLike": {f"{GITHUB}:sub": "repo:shop/web:ref:refs/heads/release-*"},
    }
    role = room.role("ci", {**federating(provider=provider.arn), "Condition": condition})

    def token(ref: str, repository: str = "shop/web") -> str:
        return sign(
            claims(
                NOON,
                iss=f"https://{GITHUB}",
                sub=f"repo:{repository}:ref:refs/heads/{ref}",
                repository=repository,
            )
        )

    assert ask(room, role, token("release-7"))
    for wrong in (token("main"), token("release-7", "shop/web-fork"), token("release-7", "evil/web")):
        assert refusal(room, role, wrong) == (AccessDeniedException, NOT_AUTHORIZED)


def test_other_issuers_claims_are_not_githubs(room: SessionRoom) -> None:
    role = room.role("web", federating(**{f"{ISSUER}:repository": "shop/web"}))
    assert refusal(room, role, sign(claims(NOON, repository="shop/web")))[1] == NOT_AUTHORIZED


def test_account_conditions_do_not_hold_for_who_has_no_account(room: SessionRoom) -> None:
    role = room.role("web", federating(**{"aws:PrincipalAccount": ACCOUNT}))
    assert refusal(room, role, sign(claims(NOON))) == (AccessDeniedException, NOT_AUTHORIZED)


def test_session_policy_and_duration(room: SessionRoom) -> None:
    role = room.role("web", federating(), may=(allow("secretsmanager:*"),))
    narrow = policy(allow("secretsmanager:ListSecrets"))
    answered, _ = ask(room, role, sign(claims(NOON)), Policy=narrow, DurationSeconds=900)
    session = Credentials.of(answered)
    assert session.expires_at == NOON + dt.timedelta(seconds=900)
    assert answered["PackedPolicySize"] >= 1
    assert not room.may(room.session(session), "secretsmanager:CreateSecret")
    assert refusal(room, role, sign(claims(NOON)), DurationSeconds=3_601) == (
        ValidationException,
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


# --- tags and source identity as claims


def tagging(tags: Any, transitive: Any = ()) -> str:
    claim = {"principal_tags": tags, "transitive_tag_keys": list(transitive)}
    return sign(claims(NOON, **{"https://aws.amazon.com/tags": claim}))


def test_tags_of_the_token_become_the_sessions(room: SessionRoom) -> None:
    role = room.role("web", federating("sts:TagSession"))
    answered, _ = ask(room, role, tagging({"team": ["blue"], "cost": "7"}, ["team"]))
    session = room.session(Credentials.of(answered))
    assert dict(session.tags) == {"team": "blue", "cost": "7"}
    assert session.transitive_tag_keys == ("team",)
    bare = room.role("bare", federating())
    assert refusal(room, bare, tagging({"team": ["blue"]})) == (
        AccessDeniedException,
        "Not authorized to perform sts:TagSession",
    )


@pytest.mark.parametrize(
    "tags", [[], {"team": 7}, {"team": ["a", "b"]}, {"": "x"}, {"team": "x" * 257}, {"x" * 129: "y"}]
)
def test_a_malformed_tags_claim_is_rejected(room: SessionRoom, tags: Any) -> None:
    role = room.role("web", federating("sts:TagSession"))
    assert refusal(room, role, tagging(tags)) == (
        IDPRejectedClaimException,
        "The claim https://aws.amazon.com/tags of the provided token is malformed",
    )
    assert refusal(room, role, tagging({"a": "b"}, ["c"])) == (
        InvalidParameterValueException,
        "The specified transitive tag key must be included in the requested tags.",
    )


def test_the_source_identity_of_the_token(room: SessionRoom) -> None:
    def token(value: Any) -> str:
        return sign(claims(NOON, **{"https://aws.amazon.com/source_identity": value}))

    role = room.role("web", federating("sts:SetSourceIdentity", **{"sts:SourceIdentity": "eve"}))
    answered, _ = ask(room, role, token("eve"))
    assert answered["SourceIdentity"] == "eve"
    assert room.session(Credentials.of(answered)).source_identity == "eve"
    assert refusal(room, role, token("bob"))[0] is AccessDeniedException
    for malformed in (7, "x", "with space", "x" * 257):
        assert refusal(room, role, token(malformed)) == (
            IDPRejectedClaimException,
            "The claim https://aws.amazon.com/source_identity of the provided token is malformed",
        )


# --- keys that have to be fetched


def with_issuers(room: SessionRoom, **published: Any) -> Issuers:
    issuers = Issuers(**published)
    room.resources = replace(room.resources, issuers=issuers)
    return issuers


def test_keys_given_by_the_operator_are_not_fetched(room: SessionRoom) -> None:
    issuers = with_issuers(room, **{ISSUER: KEYS})
    ask(room, room.role("web", federating()), sign(claims(NOON)))
    assert issuers.fetched == []


def test_keys_are_fetched_once_and_for_known_providers_only(room: SessionRoom) -> None:
    room.provider(ISSUER, AUDIENCE)
    issuers = with_issuers(room, **{ISSUER: KEYS})
    role = room.role("web", federating())
    for _ in range(3):
        ask(room, role, sign(claims(NOON)))
    assert issuers.fetched == [ISSUER]
    for wrong in (sign(claims(NOON, iss="https://evil.example.com")), "not-a-token"):
        assert refusal(room, role, wrong)[0] is InvalidIdentityTokenException
    assert issuers.fetched == [ISSUER]


def test_an_issuer_that_does_not_answer(room: SessionRoom) -> None:
    room.provider(ISSUER, AUDIENCE)
    issuers = with_issuers(room)
    assert refusal(room, room.role("web", federating()), sign(claims(NOON))) == (
        IDPCommunicationErrorException,
        "down",
    )
    assert issuers.fetched == [ISSUER]


def test_without_a_way_to_fetch_there_is_no_key(room: SessionRoom) -> None:
    room.provider(ISSUER, AUDIENCE)
    assert refusal(room, room.role("web", federating()), sign(claims(NOON))) == (
        IDPCommunicationErrorException,
        "Couldn't retrieve verification key from your identity provider,  please reference "
        "AssumeRoleWithWebIdentity documentation for requirements",
    )
