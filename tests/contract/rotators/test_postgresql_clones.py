"""What alternating users mean on PostgreSQL: the clone may and does what the original does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom.secret.document import FaultKind, RotationFault, Strategy
from strongroom.secret.material import RotationMaterial
from support.postgres_server import PostgresServer
from support.postgres_target import PostgresTarget, quoted
from support.rotator_contract import faults, propose, rotate

ALTERNATING = Strategy.ALTERNATING_USERS


@pytest.fixture
def target(postgres: PostgresServer) -> PostgresTarget:
    return PostgresTarget(postgres)


def test_the_clone_reads_and_owns_what_the_original_does_in_every_database(target: PostgresTarget) -> None:
    server = target.server
    server.run("CREATE DATABASE ledger")
    material = target.of_user(ALTERNATING, "clerk")
    server.run(
        "CREATE TABLE bills (n int)",
        "INSERT INTO bills VALUES (7)",
        "GRANT SELECT ON bills TO clerk",
        "GRANT CREATE ON SCHEMA public TO clerk",
        database="ledger",
    )
    as_clone = rotate(target, material)
    with target.connect(as_clone.current, "ledger") as connection:
        assert connection.execute("SELECT n FROM bills").fetchall() == [(7,)]
        assert connection.execute("SELECT session_user, current_user").fetchall() == [
            ("clerk_clone", "clerk")
        ]
        connection.execute("CREATE TABLE receipts AS SELECT 8 AS n")
    again = rotate(target, as_clone)
    with target.connect(again.current, "ledger") as connection:
        assert connection.execute("SELECT session_user::text").fetchall() == [("clerk",)]
        assert connection.execute("SELECT n FROM receipts").fetchall() == [(8,)]
        connection.execute("DROP TABLE receipts")
    # A right given while the original was in use is the clone's too.
    server.run("CREATE TABLE later (n int)", "GRANT SELECT ON later TO clerk", database="ledger")
    with target.connect(rotate(target, again).current, "ledger") as connection:
        assert connection.execute("SELECT n FROM later").fetchall() == []


def test_attributes_and_settings_are_the_originals(target: PostgresTarget) -> None:
    server = target.server
    material = target.of_user(
        ALTERNATING, "scribe", "CREATEDB BYPASSRLS CONNECTION LIMIT 7 VALID UNTIL '2099-01-01 00:00:00+00'"
    )
    server.run(
        """ALTER ROLE scribe SET search_path TO "$user", 'odd, "name"', public""",
        "ALTER ROLE scribe SET application_name TO 'it''s \\ 100%'",
        "ALTER ROLE scribe SET strongroom.custom TO 'x=y'",
        "ALTER ROLE scribe IN DATABASE postgres SET work_mem TO '5MB'",
        "ALTER ROLE scribe SET default_transaction_read_only TO on",
    )
    as_clone = rotate(target, material)
    rows = server.rows(
        "SELECT rolname, rolcreatedb, rolbypassrls, rolsuper, rolconnlimit, rolvaliduntil::text "
        "FROM pg_roles WHERE rolname LIKE 'scribe%%' ORDER BY 1"
    )
    assert rows[1] == ("scribe_clone", *rows[0][1:])
    with target.connect(as_clone.current) as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("search_path", "application_name", "strongroom.custom", "work_mem")
        ]
    with target.connect(material.current) as connection:
        assert shown == [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("search_path", "application_name", "strongroom.custom", "work_mem")
        ]
    assert shown[0] == ('"$user", "odd, ""name""", public',)
    # Read-only by default as the users are, both can still be rotated.
    rotate(target, rotate(target, as_clone))


def test_what_the_original_has_got_since_is_brought_after_and_nothing_is_taken(
    target: PostgresTarget,
) -> None:
    server = target.server
    material = rotate(target, rotate(target, target.of_user(ALTERNATING, "page")))
    server.run(
        "ALTER ROLE page CREATEDB",
        "ALTER ROLE page SET lock_timeout TO '3s'",
        "ALTER ROLE page_clone BYPASSRLS",
        "ALTER ROLE page_clone SET work_mem TO '3MB'",
        "REVOKE page FROM page_clone",
    )
    rotate(target, material)
    assert server.rows("SELECT rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = 'page_clone'") == [
        (True, True)
    ]
    assert server.rows("SELECT rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = 'page'") == [
        (True, False)
    ]
    (settings,) = server.rows(
        "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'page_clone'::regrole"
    )[0]
    assert sorted(settings) == ["lock_timeout=3s", "role=page", "work_mem=3MB"]
    assert server.rows("SELECT pg_has_role('page_clone', 'page', 'USAGE')") == [(True,)]


def test_a_clone_that_official_functions_have_made_goes_on_working_as_itself(target: PostgresTarget) -> None:
    material = target.of_user(ALTERNATING, "elder")
    target.make("elder_clone", "whatever")
    target.server.run(
        "GRANT elder TO elder_clone",
        "CREATE TABLE elders_own (n int)",
        "ALTER TABLE elders_own OWNER TO elder_clone",
    )
    with target.connect(rotate(target, material).current) as connection:
        assert connection.execute("SELECT current_user::text").fetchall() == [("elder_clone",)]
        assert connection.execute("SELECT * FROM elders_own").fetchall() == []


@pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
def test_any_name_can_be_rotated(target: PostgresTarget, strategy: Strategy) -> None:
    user = f"we\"ird 'us\\er %s {strategy.value[0]} é"
    material = target.of_user(strategy, user)
    for _ in range(3):
        material = rotate(target, material)
        assert target.logs_in(material.current)


def test_a_secret_that_starts_with_the_clone_finds_its_original(target: PostgresTarget) -> None:
    material = target.of_user(ALTERNATING, "moth_clone")
    target.server.run("CREATE TABLE moths (n int)", "GRANT SELECT ON moths TO moth_clone")
    for user in ("moth", "moth_clone", "moth"):
        material = rotate(target, material)
        assert material.current["username"] == user
        with target.connect(material.current) as connection:
            assert connection.execute("SELECT n FROM moths").fetchall() == []


def test_what_a_server_keeps_is_of_the_kind_it_is_set_to(target: PostgresTarget) -> None:
    def kept(user: str) -> str:
        return str(target.server.rows("SELECT rolpassword FROM pg_authid WHERE rolname = %s", user)[0][0])

    material = rotate(target, target.of_user(Strategy.SINGLE_USER, "hashed"))
    assert kept("hashed").startswith("SCRAM-SHA-256$4096:")
    with target.server.configured(password_encryption="md5"):
        material = rotate(target, material)
    assert kept("hashed").startswith("md5")
    if target.server.major() < 16:
        return
    with target.server.configured(scram_iterations="5000"):
        material = rotate(target, material)
    assert kept("hashed").startswith("SCRAM-SHA-256$5000:")
    assert target.logs_in(material.current)


def test_a_rotation_that_was_taken_back_goes_on_from_the_previous_version(target: PostgresTarget) -> None:
    first = target.of_user(Strategy.SINGLE_USER, "sailor")
    second = rotate(target, first)
    # Someone moves AWSCURRENT by hand to a version that the target never took.
    lost = replace(
        second, current=first.current.replaced(password="Never-set-canary-1"), previous=second.current
    )
    assert faults(target.rotator.check(lost)) == []
    made = propose(target, lost)
    target.rotator.set(made)
    target.rotator.test(made)


def test_the_previous_version_of_another_user_is_not_tried(target: PostgresTarget) -> None:
    other = target.of_user(Strategy.SINGLE_USER, "other_sailor")
    material = target.of_user(Strategy.SINGLE_USER, "this_sailor")
    wrong = replace(material, current=material.current.replaced(password="wrong"), previous=other.current)
    state = target.dump()
    with pytest.raises(RotationFault) as caught:
        target.rotator.set(propose(target, wrong))
    assert caught.value.kind is FaultKind.LOGIN
    assert target.dump() == state


def test_a_superuser_secret_that_holds_only_user_and_password_is_completed(target: PostgresTarget) -> None:
    material = target.of_user(ALTERNATING, "short")
    assert material.admin is not None
    bare = type(material.admin)({k: material.admin[k] for k in ("username", "password")})
    rotate(target, replace(material, admin=bare))


def test_the_superuser_of_another_host_is_refused(target: PostgresTarget) -> None:
    material: RotationMaterial = target.of_user(ALTERNATING, "stray")
    assert material.admin is not None
    elsewhere = replace(material, admin=material.admin.replaced(host="db.example.com"))
    state = target.dump()
    with pytest.raises(RotationFault) as caught:
        rotate(target, elsewhere)
    assert caught.value.kind is FaultKind.SECRET
    assert caught.value.message == "the superuser secret arn:admin is for another target"
    assert target.dump() == state
    assert quoted("stray_clone") not in state


def test_a_superuser_that_takes_turns_itself_may_change_what_its_clone_has_made(
    target: PostgresTarget,
) -> None:
    server = target.server
    keeper, shop = target.of_user(ALTERNATING, "turner", "CREATEROLE"), target.of_user(ALTERNATING, "stall")
    server.run("GRANT stall TO turner WITH ADMIN OPTION")
    users = []
    for _ in range(3):
        keeper = rotate(target, keeper)
        for _ in range(2):
            shop = rotate(target, replace(shop, admin=keeper.current))
            users.append((keeper.current["username"], shop.current["username"]))
            assert target.logs_in(shop.current)
    assert users == [
        (superuser, user)
        for superuser in ("turner_clone", "turner", "turner_clone")
        for user in ("stall_clone", "stall")
    ]
    if server.major() >= 16:
        held = "SELECT inherit_option, set_option FROM pg_auth_members WHERE roleid = 'stall_clone'::regrole"
        assert (False, False) in server.rows(f"{held} AND member = 'turner'::regrole")
