"""What a caller's own policies are: collected from user and groups, role, boundary and session."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.identity.principal import Principal, PrincipalType
from strongroom.operations.call import Resources
from strongroom.operations.standing import Standing, StandingMemory, standing_of
from strongroom.ports import GROUPS, MANAGED_POLICIES, USERS
from support import permission_world as world
from support.key_room import KeyRoom
from support.permission_world import (
    ACCOUNT,
    CHANGES,
    DOCUMENTS,
    GROUP_ID,
    OTHER,
    POLICY_ARNS,
    PRINCIPALS,
    ROLE_ID,
    USER_IDS,
    a_group,
    a_managed_policy,
    a_user,
)

AWS_POLICY = "arn:aws:iam::aws:policy/SecretsManagerReadWrite"


class Marked(KeyRoom):
    """A room whose unit says whether anything was committed."""

    def __init__(self) -> None:
        super().__init__()
        self.memory_of_standings = StandingMemory()
        world.begin(self.unit)

    def standing(self, who: str | Principal) -> Standing:
        principal = PRINCIPALS[who] if isinstance(who, str) else who
        made = Resources(self.store, self.root_key, self.entropy, standing_memory=self.memory_of_standings)
        call = self.call(principal=principal)
        forgetful = standing_of(call, self.unit)
        remembered = standing_of(type(call)(**{**members(call), "resources": made}), self.unit)
        assert told(remembered) == told(forgetful)
        return remembered


def members(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def told(standing: Standing) -> tuple[Any, ...]:
    """Return what a standing says, by label and compiled policy."""

    def pair(each: Any) -> Any:
        return None if each is None else (each.label, each.policy)

    return (
        [pair(each) for each in standing.identity],
        pair(standing.boundary),
        None if standing.session is None else [pair(each) for each in standing.session],
        standing.readable,
    )


def labels(standing: Standing) -> list[str]:
    return [each.label for each in standing.identity]


@pytest.fixture
def room() -> Marked:
    return Marked()


def change(room: Marked, name: str, choice: int) -> None:
    CHANGES[name](room.unit, choice)


def set_user(room: Marked, **members_: Any) -> None:
    room.unit.save(USERS, a_user(ACCOUNT, **members_))


def test_root_has_no_policies(room: Marked) -> None:
    standing = room.standing("root")
    assert (labels(standing), standing.boundary, standing.session) == ([], None, None)
    assert standing.readable


def test_a_user_has_its_own_and_its_groups_policies(room: Marked) -> None:
    room.unit.save(GROUPS, a_group(policies={"g": DOCUMENTS[2]}, attached=POLICY_ARNS[1:]))
    set_user(
        room,
        policies={"p": DOCUMENTS[0], "q": DOCUMENTS[1]},
        attached=(POLICY_ARNS[0], AWS_POLICY),
        group_ids=(GROUP_ID,),
    )
    standing = room.standing("ann")
    assert labels(standing) == ["p", "q", POLICY_ARNS[0], AWS_POLICY, "g", POLICY_ARNS[1]]
    assert standing.boundary is None
    assert standing.session is None


def test_policies_of_a_group_the_user_is_not_in_do_not_count(room: Marked) -> None:
    room.unit.save(GROUPS, a_group(policies={"h": DOCUMENTS[2]}))
    assert labels(room.standing("ann")) == ["p"]


def test_a_role_session_has_the_roles_policies_at_every_call(room: Marked) -> None:
    assert labels(room.standing("role")) == ["p"]
    change(room, "role policies", 5)
    change(room, "role attached", 1)
    change(room, "role boundary", 2)
    standing = room.standing("role")
    assert labels(standing) == ["p", "q", POLICY_ARNS[0]]
    assert standing.boundary is not None
    assert standing.boundary.label == POLICY_ARNS[1]
    assert standing.session is None


def test_session_policies_stand_apart_and_arns_count_as_they_are_now(room: Marked) -> None:
    before = room.standing("narrowed role").session
    assert before is not None
    assert [each.label for each in before] == ["session", POLICY_ARNS[0]]
    change(room, "managed policy", 2)
    after = room.standing("narrowed role").session
    assert after is not None
    assert after[0].policy is before[0].policy
    assert after[1].policy is not before[1].policy


def test_a_federated_session_has_the_policies_of_the_user_who_made_it(room: Marked) -> None:
    standing = room.standing("federated")
    assert labels(standing) == ["p"]
    assert standing.session is not None
    assert len(standing.session) == 2
    by_root = room.standing("federated by root")
    assert labels(by_root) == []
    assert by_root.session is not None
    assert [each.label for each in by_root.session] == [POLICY_ARNS[1]]


def test_session_policies_of_roots_own_session_count(room: Marked) -> None:
    root = PRINCIPALS["root"]
    narrowed = Principal(
        PrincipalType.ROOT, ACCOUNT, root.arn, ACCOUNT, "ASIAROOT", session_policies=(DOCUMENTS[1],)
    )
    session = room.standing(narrowed).session
    assert session is not None
    assert [each.label for each in session] == ["session"]


def test_accounts_do_not_share_anything(room: Marked) -> None:
    change(room, "user policies", 4)
    assert labels(room.standing("eve")) == ["p"]
    set_user(room, attached=(f"arn:aws:iam::{OTHER}:policy/one",))
    assert not room.standing("ann").readable, "a policy of another account is not there"


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        ("ann", [("user policies", 25)]),
        ("ann", [("user attached", 1), ("managed policy gone", 0)]),
        ("ann", [("user attached", 2), ("managed policy", 17)]),
        ("ann", [("user boundary", 1), ("managed policy gone", 0)]),
        ("ann", [("user boundary", 2), ("managed policy", 17)]),
        ("ann", [("user groups", 1), ("group gone", 0)]),
        ("ann", [("user groups", 1), ("group policies", 25)]),
        ("ann", [("user groups", 1), ("group attached", 1), ("managed policy gone", 0)]),
        ("ann", [("user gone", 0)]),
        ("role", [("role policies", 25)]),
        ("role", [("role attached", 3), ("managed policy gone", 1)]),
        ("role", [("role boundary", 1), ("managed policy gone", 0)]),
        ("role", [("role gone", 0)]),
        ("narrowed role", [("managed policy gone", 0)]),
        ("federated", [("user policies", 25)]),
        ("federated", [("user gone", 0)]),
        ("federated by root", [("managed policy gone", 1)]),
    ],
    ids=lambda value: value if isinstance(value, str) else ", ".join(name for name, _ in value),
)
def test_what_is_missing_or_cannot_be_read_makes_a_standing_unreadable(
    room: Marked, who: str, changes: list[tuple[str, int]]
) -> None:
    assert room.standing(who).readable
    for name, choice in changes:
        change(room, name, choice)
    standing = room.standing(who)
    assert not standing.readable
    assert labels(standing) == []


def test_a_session_policy_that_cannot_be_read_makes_it_unreadable(room: Marked) -> None:
    role = PRINCIPALS["role"]
    broken = Principal(
        PrincipalType.ASSUMED_ROLE,
        ACCOUNT,
        role.arn,
        role.principal_id,
        "ASIABROKEN",
        role_id=ROLE_ID,
        session_policies=("{",),
    )
    assert not room.standing(broken).readable


def test_it_is_the_same_object_until_something_it_was_made_from_changes(room: Marked) -> None:
    set_user(room, attached=POLICY_ARNS[:1], group_ids=(GROUP_ID,), policies={})
    first = room.standing("ann")
    change(room, "secret tags", 1)
    change(room, "role policies", 1)
    room.unit.save(MANAGED_POLICIES, a_managed_policy(POLICY_ARNS[1], DOCUMENTS[3]))
    assert room.standing("ann") is first
    for name, choice in (
        ("managed policy", 2),
        ("group policies", 1),
        ("user policies", 1),
        ("user boundary", 1),
    ):
        before = room.standing("ann")
        change(room, name, choice)
        after = room.standing("ann")
        assert after is not before
        assert room.standing("ann") is after


def test_it_is_kept_for_each_access_key_and_forgets_all_when_full(room: Marked) -> None:
    ann = PRINCIPALS["ann"]
    second_key = Principal(
        PrincipalType.USER, ACCOUNT, ann.arn, USER_IDS[ACCOUNT], "AKIASECOND", user_name="ann"
    )
    first, second = room.standing("ann"), room.standing(second_key)
    assert first is not second
    room.memory_of_standings.LIMIT = 2  # type: ignore[misc]  # smaller, for this test
    third = room.standing("eve")
    assert room.standing("eve") is third
    assert room.standing("ann") is not first
