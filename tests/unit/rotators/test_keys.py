"""Rotators without a target: random values, SSH and TLS keys."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from strongroom.ports import Rotator
from strongroom.rotators.registry import load_rotators
from strongroom.rotators.tls_key import _TlsKey
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.entropies import SeededEntropy

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def material(
    members: dict[str, Any], admin: dict[str, Any] | None = None, **settings: str
) -> RotationMaterial:
    return RotationMaterial(
        "arn:secret",
        "version",
        SecretDocument(members),
        Strategy.SINGLE_USER,
        admin=None if admin is None else SecretDocument(admin),
        settings=settings,
    )


def rotator(engine: str) -> Rotator:
    found = load_rotators().find(engine)
    assert found is not None
    return found


def rotated(engine: Rotator, given: RotationMaterial) -> SecretDocument:
    made = replace(given, pending=engine.propose(given, SeededEntropy(7)))
    engine.set(made)
    engine.test(made)
    engine.finish(made)
    assert made.pending is not None
    return made.pending


def refusal(engine: Rotator, given: RotationMaterial) -> str:
    """A dry run says what a rotation raises."""
    with pytest.raises(RotationFault) as caught:
        engine.propose(given, SeededEntropy(7))
    [finding] = engine.check(given)
    assert (finding.fault, finding.message) == (caught.value.kind, caught.value.message)
    assert caught.value.kind in (FaultKind.SECRET, FaultKind.LIMIT)
    return caught.value.message


class TestRandom:
    def test_changes_the_password_unless_the_secret_says_what(self) -> None:
        found = rotated(rotator("random"), material({"engine": "random", "password": "old", "user": "u"}))
        assert found["user"] == "u"
        assert len(found["password"]) == 32
        assert found["password"] != "old"

    def test_changes_every_member_named(self) -> None:
        members = {"engine": "random", "rotate": ["key", "salt"], "key": "a", "salt": "b", "password": "c"}
        found = rotated(
            rotator("random"), material(members, PASSWORD_LENGTH="64", EXCLUDE_PUNCTUATION="true")
        )
        assert found["password"] == "c"
        assert found["key"] != found["salt"]
        assert all(len(found[each]) == 64 and found[each].isalnum() for each in ("key", "salt"))

    @pytest.mark.parametrize("rotate", [3, [], [""], ["engine"], "rotate", {"a": 1}, [["a"]]])
    def test_names_that_are_none_are_refused(self, rotate: Any) -> None:
        message = refusal(rotator("random"), material({"engine": "random", "rotate": rotate}))
        assert message.startswith("rotate in the secret JSON must be the name of a member")

    def test_settings_that_leave_nothing_are_refused(self) -> None:
        assert "PASSWORD_LENGTH" in refusal(
            rotator("random"), material({"engine": "random"}, PASSWORD_LENGTH="many")
        )

    def test_a_pending_version_written_by_hand_without_a_new_value_fails_its_test(self) -> None:
        given = material({"engine": "random", "password": "old"})
        with pytest.raises(RotationFault) as caught:
            rotator("random").test(replace(given, pending=given.current))
        assert caught.value.message == "password of the pending version is the current one"

    def test_a_copy_that_is_only_tried_passes(self) -> None:
        given = material({"engine": "random", "password": "old"})
        rotator("random").test(replace(given, pending=given.current, test_only=True))
        with pytest.raises(RotationFault) as caught:
            rotator("random").test(replace(given, pending=SecretDocument({}), test_only=True))
        assert caught.value.message == "password key is missing from secret JSON"


class TestSshKey:
    @pytest.mark.parametrize("kind", [None, "ed25519", "ecdsa", "rsa"])
    def test_makes_a_pair_and_keeps_the_old_public_key_for_one_rotation(self, kind: str | None) -> None:
        members: dict[str, Any] = {"engine": "ssh-key", "comment": "deploy@ci", "user": "deploy"}
        if kind is not None:
            members["keyType"] = kind
        first = rotated(rotator("ssh-key"), material(members))
        second = rotated(rotator("ssh-key"), material(dict(first)))
        assert "previousPublicKey" not in first
        assert second["previousPublicKey"] == first["publicKey"]
        assert second["publicKey"] != first["publicKey"]
        assert second["publicKey"].endswith(" deploy@ci")
        assert first["privateKey"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
        load_ssh_private_key(first["privateKey"].encode(), None)

    def test_a_kind_there_is_not_is_refused(self) -> None:
        message = refusal(rotator("ssh-key"), material({"engine": "ssh-key", "keyType": "dsa"}))
        assert message == "keyType in the secret JSON must be one of: ed25519, ecdsa, rsa"

    def test_halves_of_two_pairs_fail_the_test(self) -> None:
        given = material({"engine": "ssh-key"})
        one, other = (rotated(rotator("ssh-key"), given) for _ in range(2))
        mixed = one.replaced(publicKey=other["publicKey"])
        for pending in (mixed, one.replaced(privateKey="canary"), one.replaced(publicKey="ssh-rsa canary")):
            with pytest.raises(RotationFault) as caught:
                rotator("ssh-key").test(replace(given, pending=pending))
            assert "do not belong together" in caught.value.message
            assert "canary" not in caught.value.message


class TestTlsKey:
    @pytest.fixture
    def tls(self) -> Rotator:
        return _TlsKey(lambda: NOW)

    def authority(self, tls: Rotator) -> dict[str, Any]:
        return dict(rotated(tls, material({"commonName": "house", "validDays": 30})))

    @pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
    def test_signs_itself_where_there_is_no_authority(self, tls: Rotator, kind: str) -> None:
        members = {
            "commonName": "db.example",
            "subjectAltNames": ["db.example", "10.0.0.5"],
            "validDays": 10,
            "keyType": kind,
        }
        found = rotated(tls, material(members))
        certificate = x509.load_pem_x509_certificate(found["certificate"].encode())
        assert certificate.subject == certificate.issuer
        assert certificate.not_valid_after_utc == NOW + dt.timedelta(days=10)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["db.example"]
        assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.0.0.5")]

    def test_is_signed_by_its_authority_and_does_not_outlive_it(self, tls: Rotator) -> None:
        authority = self.authority(tls)
        found = rotated(tls, material({"commonName": "db"}, admin=authority))
        certificate = x509.load_pem_x509_certificate(found["certificate"].encode())
        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate(authority["certificate"].encode())
        )
        assert found["caCertificate"] == authority["certificate"]
        assert certificate.not_valid_after_utc == NOW + dt.timedelta(days=30)

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({}, "commonName key is missing from secret JSON"),
            ({"commonName": "x" * 65}, "longer than 64 characters"),
            ({"commonName": "x", "keyType": "dsa"}, "must be ecdsa or rsa"),
            ({"commonName": "x", "validDays": 0}, "between 1 and 3650"),
            ({"commonName": "x", "validDays": "ten"}, "between 1 and 3650"),
            ({"commonName": "x", "subjectAltNames": "a"}, "must be a list of names"),
            ({"commonName": "x", "subjectAltNames": ["höst"]}, "neither a DNS name nor an address"),
        ],
    )
    def test_wishes_that_cannot_be_are_refused(
        self, tls: Rotator, members: dict[str, Any], message: str
    ) -> None:
        assert message in refusal(tls, material(members))

    def test_an_authority_that_is_none_is_refused(self, tls: Rotator) -> None:
        authority = self.authority(tls)
        other = self.authority(tls)
        for broken in (
            {},
            {**authority, "privateKey": "canary"},
            {**authority, "privateKey": other["privateKey"]},
        ):
            message = refusal(tls, material({"commonName": "x"}, admin=broken))
            assert "canary" not in message

    def test_an_authority_that_has_ended_is_refused(self, tls: Rotator) -> None:
        later = _TlsKey(lambda: NOW + dt.timedelta(days=31))
        message = refusal(later, material({"commonName": "x"}, admin=self.authority(tls)))
        assert message == "the authority's certificate is not in force any more"

    def test_what_does_not_fit_fails_the_test(self, tls: Rotator) -> None:
        given = material({"commonName": "x"})
        one, other = rotated(tls, given), rotated(tls, given)
        with pytest.raises(RotationFault, match="do not belong together"):
            tls.test(replace(given, pending=one.replaced(privateKey=other["privateKey"])))
        by_authority = replace(given, admin=SecretDocument(self.authority(tls)), pending=one)
        with pytest.raises(RotationFault, match="do not belong together"):
            tls.test(by_authority)
        ended = _TlsKey(lambda: NOW + dt.timedelta(days=400))
        with pytest.raises(RotationFault, match="not in force"):
            ended.test(replace(given, pending=one))
