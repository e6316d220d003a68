"""The suite that every engine passes, on a real slapd; and what only directories have."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from strongroom.rotators.ldap import split_dn
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.ldap_target import LdapTarget
from support.relays import dripping
from support.rotator_contract import RotatorContract, assert_predicted, moved, propose, rotate
from support.slapd_server import ADMIN, BASE, SlapdServer, running_slapd

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def slapd() -> Iterator[SlapdServer]:
    with running_slapd() as server:
        yield server


@pytest.fixture
def target(slapd: SlapdServer) -> LdapTarget:
    return LdapTarget(slapd)


class TestLdap(RotatorContract):
    """Both strategies."""

    def test_a_version_written_by_hand_for_another_user_or_host_is_refused(
        self, target: LdapTarget, material: RotationMaterial
    ) -> None:
        made = propose(target, material)
        assert made.pending is not None
        state = target.dump()
        for other in ({"username": f"uid=somebody,{BASE}"}, {"host": "db.example.com"}):
            with pytest.raises(RotationFault) as caught:
                target.rotator.set(replace(made, pending=made.pending.replaced(**other)))
            assert caught.value.kind is FaultKind.SECRET
        assert target.dump() == state


def groups_of(server: SlapdServer, dn: str) -> set[str]:
    return set(server.entries(f"(|(member={dn})(uniqueMember={dn}))"))


def test_a_clone_has_the_attributes_and_groups_of_the_original(target: LdapTarget) -> None:
    server = target.server
    material = target.material(Strategy.ALTERNATING_USERS)
    user = material.current["username"]
    first, second = f"cn=g{next(_numbers)},ou=groups,{BASE}", f"cn=g{next(_numbers)},ou=groups,{BASE}"
    server.add(first, ["groupOfNames"], member=[user, ADMIN])
    material = rotate(target, material)
    clone = material.current["username"]
    assert clone == user.replace(",", "_clone,", 1)
    entries = server.entries()
    different = {"uid", "userPassword", "entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp"}
    assert {name: value for name, value in entries[clone].items() if name not in different} == {
        name: value for name, value in entries[user].items() if name not in different
    }
    assert groups_of(server, clone) == groups_of(server, user) == {first}
    server.add(second, ["groupOfUniqueNames"], uniqueMember=[user, ADMIN])
    material = rotate(target, rotate(target, material))
    assert material.current["username"] == clone
    assert groups_of(server, clone) == {first, second}


@pytest.mark.parametrize("name", ["a name with spaces", r"comma\, inside", "plus-und-ümlaut"])
def test_names_that_need_escapes_alternate_too(target: LdapTarget, name: str) -> None:
    material = target.material(Strategy.ALTERNATING_USERS, name=name)
    first = rotate(target, material)
    second = rotate(target, first)
    assert split_dn(second.current["username"]) == split_dn(material.current["username"])
    assert target.logs_in(first.current)
    assert target.logs_in(second.current)


@pytest.mark.parametrize("user", ["app", "uid=app", "uid=,dc=x", "=a,dc=x", "uid=a+cn=b,dc=x"])
def test_a_user_name_that_is_no_dn_is_foretold(target: LdapTarget, user: str) -> None:
    material = target.material(Strategy.SINGLE_USER)
    wrong = replace(material, current=material.current.replaced(username=user))
    message = assert_predicted(target, wrong, FaultKind.SECRET)
    assert message.startswith("username in the secret JSON must be the DN")


def test_a_superuser_who_may_not_add_entries_is_told_so(target: LdapTarget) -> None:
    weak = target.material(Strategy.SINGLE_USER)
    material = replace(target.material(Strategy.ALTERNATING_USERS), admin=weak.current)
    made = propose(target, material)
    state = target.dump()
    with pytest.raises(RotationFault) as caught:
        target.rotator.set(made)
    assert caught.value.kind is FaultKind.PRIVILEGE
    assert target.dump() == state


def test_a_server_without_tls_is_foretold_where_tls_is_wanted(target: LdapTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    wanted = replace(material, current=material.current.replaced(ssl=True))
    assert_predicted(target, wanted, FaultKind.TLS)


def test_a_target_that_never_comes_to_an_end_ends_with_the_steps_time(target: LdapTarget) -> None:
    made = propose(target, target.material(Strategy.SINGLE_USER))
    # A message of 2 GB.
    with dripping(b"\x30\x84\x7f\xff\xff\xff") as port, pytest.raises(RotationFault) as caught:
        target.rotator.set(replace(moved(made, port=port), attempt_seconds=0.5))
    assert (caught.value.kind, caught.value.message) == (
        FaultKind.UNREACHABLE,
        "the target did not answer within 0.5 seconds",
    )
    assert target.logs_in(made.current)


def test_where_nothing_is_said_of_tls_the_target_decides(target: LdapTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    members = {name: value for name, value in material.current.items() if name != "ssl"}
    rotate(target, replace(material, current=SecretDocument(members)))
