"""Rotations of real targets, interrupted at each message and each write: they end right all the same, and nobody
who follows the advice is ever left without a credential that opens (DESIGN promise 7).

STRONGROOM_CRASH_ROUNDS sets how many interruptions there are for each engine and strategy: two unless told
otherwise; with enough, every point meets every harm.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from strongroom.functions.confinement import Level, sandbox_level
from strongroom.secret.document import Strategy
from support.interruptions import Fate, Point
from support.ldap_target import LdapTarget
from support.mariadb_server import running_mariadb
from support.mariadb_target import MariadbTarget
from support.postgres_server import running_postgres
from support.postgres_target import PostgresTarget
from support.rabbitmq_server import running_rabbitmq
from support.rabbitmq_target import RabbitTarget
from support.redis_server import running_redis
from support.redis_target import RedisTarget
from support.rotation_functions import a_function, a_role
from support.rotation_scene import Scene, Target, a_scene, rotate, verify_unseen
from support.slapd_server import running_slapd

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("STRONGROOM_CRASH_ROUNDS", "2"))
SEED = 20260101

FUNCTION_SECONDS = 5
MODULES = {Strategy.SINGLE_USER: "single_user", Strategy.ALTERNATING_USERS: "alternating_users"}

Harm = Callable[[Scene], Fate]

KILLS: dict[str, Harm] = {
    "the rotation process killed": Scene.kill_rotation,
    "everything killed": Scene.kill_everything,
    "the keeper killed": Scene.kill_keeper,
    "a worker killed": Scene.kill_worker,
}
OF_THE_TARGET: dict[str, Harm] = {
    "the connection cut": lambda _: Fate.CUT,
    "the target silent": lambda _: Fate.SILENT,
    "the target late": lambda _: Fate.LATE,
    "the target down": Scene.refuse,
}


def _target(engine: str, stack: ExitStack) -> tuple[Target, dict[str, int]]:
    """Return a running target, and its ports as a secret's JSON names them."""
    match engine:
        case "postgresql":
            postgres = stack.enter_context(running_postgres())
            return PostgresTarget(postgres), {"port": postgres.port}
        case "mariadb":
            mariadb = stack.enter_context(running_mariadb())
            mariadb.run("SET GLOBAL strict_password_validation = 0")
            return MariadbTarget(mariadb), {"port": mariadb.port}
        case "redis":
            redis = stack.enter_context(running_redis())
            return RedisTarget(redis), {"port": redis.port}
        case "ldap":
            slapd = stack.enter_context(running_slapd())
            return LdapTarget(slapd), {"port": slapd.port}
    rabbit = stack.enter_context(running_rabbitmq())
    return RabbitTarget(rabbit), {"port": rabbit.port, "managementPort": rabbit.api_port}


ENGINES = ("postgresql", "mariadb", "redis", "ldap", "rabbitmq")
BY_FUNCTIONS = ("postgresql", "mariadb")


@pytest.fixture(scope="module", params=[*ENGINES, *(f"{each} by functions" for each in BY_FUNCTIONS)])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    engine, _, functions = request.param.partition(" by ")
    level, words = sandbox_level()
    if functions and level is Level.NONE:
        pytest.skip(f"functions cannot be shut in here: {words}")
    with ExitStack() as stack:
        target, ports = _target(engine, stack)
        made = stack.enter_context(a_scene(tmp_path_factory.mktemp("scene"), target, ports))
        if functions:
            role = a_role(made.server)
            made.functions = {
                strategy: a_function(made.server, role, engine, module, seconds=FUNCTION_SECONDS)
                for strategy, module in MODULES.items()
            }
        yield made


OF_FUNCTIONS: dict[str, Harm] = {"the function killed": Scene.kill_function}
HARMS = {**KILLS, **OF_THE_TARGET, **OF_FUNCTIONS}


def plan(points: list[Point], *, functions: bool, case: str) -> list[tuple[Point, str]]:
    """Return every point with every harm it can meet; at first each point once, as various as can be."""
    draw = random.Random(f"{SEED} {case}")
    first = draw.randrange(len(HARMS))
    points = sorted(points, key=lambda point: (point.kind, point.number, point.after))
    draw.shuffle(points)
    more = [*OF_FUNCTIONS] if functions else []
    harms = {"message": [*KILLS, *more, *OF_THE_TARGET], "write": [*KILLS, *more]}
    order = []
    for turn in range(len(harms["message"])):
        for number, point in enumerate(points):
            possible = harms[point.kind]
            if turn < len(possible):
                order.append((point, possible[(first + number + turn) % len(possible)]))
    return order


@pytest.mark.parametrize("before", [0, 1], ids=["the first rotation", "a later one"])
@pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
def test_interrupted_anywhere_a_rotation_ends_right_and_the_target_stays_open(
    request: pytest.FixtureRequest,
    scene: Scene,
    strategy: Strategy,
    before: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if strategy is Strategy.SINGLE_USER and before:
        pytest.skip("is as the first one")

    def prepared() -> str:
        name = scene.secret(strategy)
        for _ in range(before):
            rotate(scene, name, strategy, None, lambda: Fate.ON)
        return name

    calm = rotate(scene, prepared(), strategy, None, lambda: Fate.ON)
    order = plan(scene.interruptions.points(), functions=bool(scene.functions), case=request.node.name)
    met: Counter[str] = Counter()
    looks, gap = calm.looks, calm.longest_gap
    for point, harm in order[:ROUNDS]:
        if harm == "a worker killed":
            scene.await_old_workers()
        try:
            ended = rotate(scene, prepared(), strategy, point, lambda harm=harm: HARMS[harm](scene))
        except BaseException as error:
            error.add_note(f"{harm} {point}\n{scene.site.log.read_text()[-4000:]}")
            raise
        met[harm] += ended.met
        looks, gap = looks + ended.looks, max(gap, ended.longest_gap)
    scene.site.verify_trail()
    verify_unseen(scene)
    assert met.total() >= len(order[:ROUNDS]) / 2
    with capsys.disabled():
        print(
            f"\n{met.total()} of {len(order)} interruptions, {looks} looks, "
            f"longest by AWSPENDING alone {gap:.2f} s: {dict(sorted(met.items()))}"
        )
