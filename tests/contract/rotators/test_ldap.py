"""The suite that every engine passes, on a real slapd; and what only directories have."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from strongroom.ports import Rotator
from strongroom.rotators.ldap import split_dn
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.rotator_contract import RotatorContract, assert_predicted, propose, rotate
from support.slapd_server import ADMIN, ADMIN_PASSWORD, BASE, HOST, SlapdServer, running_slapd

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def slapd() -> Iterator[SlapdServer]:
    with running_slapd() as server:
        yield server


class LdapTarget:
    def __init__(self, server: SlapdServer) -> None:
        self.server = server
        self.port = server.port
        rotator = load_rotators().find("ldap")
        assert rotator is not None
        self.rotator: Rotator = rotator

    def document(self, user: str, password: str) -> SecretDocument:
        return SecretDocument(
            {
                "engine": "ldap",
                "host": HOST,
                "port": self.port,
                "username": user,
                "password": password,
                "ssl": False,
            }
        )

    def material(self, strategy: Strategy, name: str = "") -> RotationMaterial:
        name = name or f"app{next(_numbers)}"
        user, password = f"uid={name},ou=people,{BASE}", f"Canary-first-password-{next(_numbers)}"
        self.server.add(user, ["inetOrgPerson"], cn="An application", sn="App", mail="app@example.org")
        with self.server.connect() as connection:
            connection.extend.standard.modify_password(user=user, new_password=password)
        admin = self.document(ADMIN, ADMIN_PASSWORD) if strategy is Strategy.ALTERNATING_USERS else None
        return RotationMaterial("arn:app", "version", self.document(user, password), strategy, admin=admin)

    def logs_in(self, document: SecretDocument) -> bool:
        return self.server.logs_in(document["username"], document["password"])

    def dump(self) -> str:
        return repr(sorted((dn, sorted(found.items())) for dn, found in self.server.entries().items()))

    def log(self) -> str:
        return self.server.log()


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


def test_where_nothing_is_said_of_tls_the_target_decides(target: LdapTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    members = {name: value for name, value in material.current.items() if name != "ssl"}
    rotate(target, replace(material, current=SecretDocument(members)))
