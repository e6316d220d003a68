"""OpenID Connect providers: named by their URL, bounded in numbers, of one account alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from strongroom.errors import (
    AccessDeniedException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.records import OidcProvider
from strongroom.operations.iam import oidc_providers as oidc
from strongroom.ports import OIDC_PROVIDERS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, root

URL = "https://token.actions.githubusercontent.com"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
PRINT = "6938FD4D98BAB03FAADB97B34396831E3780AEA1"
ON_A_PROVIDER: dict[Any, dict[str, Any]] = {
    oidc.GET_OPEN_ID_CONNECT_PROVIDER: {},
    oidc.UPDATE_OPEN_ID_CONNECT_PROVIDER_THUMBPRINT: {"ThumbprintList": [PRINT]},
    oidc.ADD_CLIENT_ID_TO_OPEN_ID_CONNECT_PROVIDER: {"ClientID": "x"},
    oidc.REMOVE_CLIENT_ID_FROM_OPEN_ID_CONNECT_PROVIDER: {"ClientID": "x"},
    oidc.TAG_OPEN_ID_CONNECT_PROVIDER: {"Tags": [{"Key": "a", "Value": "b"}]},
    oidc.UNTAG_OPEN_ID_CONNECT_PROVIDER: {"TagKeys": ["a"]},
    oidc.LIST_OPEN_ID_CONNECT_PROVIDER_TAGS: {},
}
ALL = [*ON_A_PROVIDER, oidc.DELETE_OPEN_ID_CONNECT_PROVIDER]


def named(operation: Any) -> str:
    return str(operation.name)


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def create(room: IdentityRoom, url: str = URL, **more: Any) -> dict[str, Any]:
    how = {"principal": more.pop("principal")} if "principal" in more else {}
    made: dict[str, Any] = room.run(oidc.CREATE_OPEN_ID_CONNECT_PROVIDER, {"Url": url, **more}, **how)
    return made


def on(room: IdentityRoom, operation: Any, arn: str = ARN, **more: Any) -> Any:
    return room.run(operation, {"OpenIDConnectProviderArn": arn, **more})


def stored(room: IdentityRoom) -> OidcProvider:
    found: OidcProvider | None = room.unit.find(OIDC_PROVIDERS, ACCOUNT, ARN)
    assert found is not None
    return found


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, request: Any, **how: Any) -> str:
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request, **how)
    assert room.unit.state() == before
    return caught.value.message


def test_a_provider_is_made_and_found(room: IdentityRoom) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    made = create(room, ClientIDList=["sts.amazonaws.com", "x", "x"], ThumbprintList=[PRINT], Tags=tags)
    assert made == {"OpenIDConnectProviderArn": ARN, "Tags": tags}
    assert on(room, oidc.GET_OPEN_ID_CONNECT_PROVIDER) == {
        "Url": "token.actions.githubusercontent.com",
        "ClientIDList": ["sts.amazonaws.com", "x"],
        "ThumbprintList": [PRINT.lower()],
        "CreateDate": NOON,
        "Tags": tags,
    }
    create(room, "https://a.example/path")
    create(room, principal=root(OTHER_ACCOUNT))
    assert room.run(oidc.LIST_OPEN_ID_CONNECT_PROVIDERS) == {
        "OpenIDConnectProviderList": [
            {"Arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/a.example/path"},
            {"Arn": ARN},
        ]
    }


def test_a_url_is_there_once(room: IdentityRoom) -> None:
    create(room)
    message = refused(EntityAlreadyExistsException, room, oidc.CREATE_OPEN_ID_CONNECT_PROVIDER, {"Url": URL})
    assert message == f"Provider with url {URL} already exists."


@pytest.mark.parametrize(
    ("request_members", "error", "message"),
    [
        ({"Url": "example.com"}, ValidationException, "Invalid Open ID Connect Provider URL"),
        (
            {"Url": "http://example.com"},
            InvalidInputException,
            "Invalid Open ID Connect Provider URL. The URL must begin with https://.",
        ),
        (
            {"ThumbprintList": [PRINT] * 6},
            InvalidInputException,
            "Thumbprint list must contain fewer than 5 entries.",
        ),
        ({"ThumbprintList": ["x" * 40]}, InvalidInputException, "A thumbprint is 40 hexadecimal digits."),
        (
            {"ClientIDList": [f"c{number}" for number in range(101)]},
            LimitExceededException,
            "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100",
        ),
        (
            {"Tags": [{"Key": f"k{number}", "Value": ""} for number in range(51)]},
            ServiceError,
            None,
        ),
        (
            {"IdentityCenterInstanceArn": "arn:aws:sso:::instance/x"},
            InvalidInputException,
            "Trusted identity propagation is not supported here.",
        ),
        (
            {"ContextProvider": {"SubjectSourceKey": "sub"}},
            InvalidInputException,
            "Trusted identity propagation is not supported here.",
        ),
    ],
)
def test_what_is_refused_at_making(
    room: IdentityRoom, request_members: Any, error: type[ServiceError], message: str | None
) -> None:
    said = refused(error, room, oidc.CREATE_OPEN_ID_CONNECT_PROVIDER, {"Url": URL, **request_members})
    assert said == message or (message is None and "50" in said)


def test_a_hundred_are_the_most(room: IdentityRoom) -> None:
    for number in range(100):
        create(room, f"https://host{number}.example")
    message = refused(LimitExceededException, room, oidc.CREATE_OPEN_ID_CONNECT_PROVIDER, {"Url": URL})
    assert message == "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100"


def test_client_ids_come_and_go(room: IdentityRoom) -> None:
    create(room)
    for client_id in ("a", "b", "a"):
        assert on(room, oidc.ADD_CLIENT_ID_TO_OPEN_ID_CONNECT_PROVIDER, ClientID=client_id) is None
    assert stored(room).client_ids == ("a", "b")
    for client_id in ("a", "none"):
        assert on(room, oidc.REMOVE_CLIENT_ID_FROM_OPEN_ID_CONNECT_PROVIDER, ClientID=client_id) is None
    assert stored(room).client_ids == ("b",)
    full = msgspec.structs.replace(stored(room), client_ids=tuple(f"c{number}" for number in range(100)))
    room.unit.save(OIDC_PROVIDERS, full)
    request = {"OpenIDConnectProviderArn": ARN, "ClientID": "new"}
    message = refused(LimitExceededException, room, oidc.ADD_CLIENT_ID_TO_OPEN_ID_CONNECT_PROVIDER, request)
    assert message == "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"
    assert on(room, oidc.ADD_CLIENT_ID_TO_OPEN_ID_CONNECT_PROVIDER, ClientID="c0") is None


def test_thumbprints_and_tags_change_and_the_keys_stay(room: IdentityRoom) -> None:
    create(room)
    room.unit.save(OIDC_PROVIDERS, msgspec.structs.replace(stored(room), jwks="{}"))
    on(room, oidc.UPDATE_OPEN_ID_CONNECT_PROVIDER_THUMBPRINT, ThumbprintList=[PRINT])
    on(room, oidc.TAG_OPEN_ID_CONNECT_PROVIDER, Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}])
    first = on(room, oidc.LIST_OPEN_ID_CONNECT_PROVIDER_TAGS, MaxItems=1)
    assert (first["Tags"], first["IsTruncated"]) == ([{"Key": "a", "Value": "2"}], True)
    rest = on(room, oidc.LIST_OPEN_ID_CONNECT_PROVIDER_TAGS, Marker=first["Marker"])
    assert rest == {"Tags": [{"Key": "b", "Value": "1"}], "IsTruncated": False}
    on(room, oidc.UNTAG_OPEN_ID_CONNECT_PROVIDER, TagKeys=["A", "none"])
    kept = stored(room)
    assert (kept.thumbprints, kept.tags, kept.jwks) == ((PRINT.lower(),), {"b": "1"}, "{}")


def test_deleting_succeeds_whether_it_is_there_or_not(room: IdentityRoom) -> None:
    create(room)
    create(room, principal=root(OTHER_ACCOUNT))
    for _ in range(2):
        assert on(room, oidc.DELETE_OPEN_ID_CONNECT_PROVIDER) is None
    assert room.run(oidc.LIST_OPEN_ID_CONNECT_PROVIDERS)["OpenIDConnectProviderList"] == []
    theirs = ARN.replace(ACCOUNT, OTHER_ACCOUNT)
    on(room, oidc.DELETE_OPEN_ID_CONNECT_PROVIDER, theirs)
    assert room.unit.find(OIDC_PROVIDERS, OTHER_ACCOUNT, theirs) is not None


@pytest.mark.parametrize("operation", ON_A_PROVIDER, ids=named)
def test_a_provider_that_is_not_there(room: IdentityRoom, operation: Any) -> None:
    create(room, principal=root(OTHER_ACCOUNT))
    for arn in (ARN, ARN.replace(ACCOUNT, OTHER_ACCOUNT)):
        request = {"OpenIDConnectProviderArn": arn, **ON_A_PROVIDER[operation]}
        message = refused(NoSuchEntityException, room, operation, request)
        assert message == f"OpenIDConnect Provider not found for arn {arn}"


@pytest.mark.parametrize("operation", ALL, ids=named)
def test_what_is_no_arn_of_a_provider(room: IdentityRoom, operation: Any) -> None:
    more = ON_A_PROVIDER.get(operation, {})
    request = {"OpenIDConnectProviderArn": "token.actions.githubusercontent.com", **more}
    assert refused(ValidationException, room, operation, request) == "Invalid ARN:  Could not be parsed!"
    request = {"OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:user/bob", **more}
    message = refused(InvalidInputException, room, operation, request)
    assert message == f"ARN arn:aws:iam::{ACCOUNT}:user/bob is not valid."


@pytest.mark.parametrize("operation", ALL, ids=named)
def test_a_caller_without_permission_learns_nothing(room: IdentityRoom, operation: Any) -> None:
    create(room)
    eve = room.user("eve", allow("iam:*", resource=ARN + ".other"))
    for arn in (ARN, ARN + ".not"):
        request = {"OpenIDConnectProviderArn": arn, **ON_A_PROVIDER.get(operation, {})}
        assert refused(AccessDeniedException, room, operation, request, principal=eve) == (
            f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: {arn} "
            f"because no identity-based policy allows the {operation.action} action"
        )


def test_making_with_tags_needs_both_permissions(room: IdentityRoom) -> None:
    maker = room.user("maker", allow("iam:CreateOpenIDConnectProvider", resource=ARN))
    request = {"Url": URL, "Tags": [{"Key": "a", "Value": "b"}]}
    message = refused(
        AccessDeniedException, room, oidc.CREATE_OPEN_ID_CONNECT_PROVIDER, request, principal=maker
    )
    assert "to perform: iam:TagOpenIDConnectProvider on resource: " + ARN in message
    assert create(room, principal=maker)
    other = {"Url": "https://other.example"}
    refused(AccessDeniedException, room, oidc.CREATE_OPEN_ID_CONNECT_PROVIDER, other, principal=maker)
