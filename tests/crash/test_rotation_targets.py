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
from support.rotation_functions import a_function, a_role
from support.rotation_scene import Scene, a_scene, rotate, verify_unseen
from support.rotation_targets import running_target

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("STRONGROOM_CRASH_ROUNDS", "2"))
SEED = 20260101
ENOUGH_FAILED = 3
"""A case goes on after a failure, for hours of work are lost otherwise, but not for ever."""

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


ENGINES = ("postgresql", "mariadb", "redis", "ldap", "rabbitmq")
BY_FUNCTIONS = ("postgresql", "mariadb")


@pytest.fixture(scope="module", params=[*ENGINES, *(f"{each} by functions" for each in BY_FUNCTIONS)])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    engine, _, functions = request.param.partition(" by ")
    level, words = sandbox_level()
    if functions and level is Level.NONE:
        pytest.skip(f"functions cannot be shut in here: {words}")
    with ExitStack() as stack:
        target, ports = running_target(engine, stack)
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
    record_property: Callable[[str, object], None],
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
    failed: list[BaseException] = []
    for point, harm in order[:ROUNDS]:
        if harm == "a worker killed":
            scene.await_old_workers()
        try:
            ended = rotate(scene, prepared(), strategy, point, lambda harm=harm: HARMS[harm](scene))
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"{harm} {point}\n{scene.site.log.read_text()[-4000:]}")
            failed.append(error)
            if len(failed) == ENOUGH_FAILED:
                break
            scene.recover()
            continue
        met[harm] += ended.met
        looks, gap = looks + ended.looks, max(gap, ended.longest_gap)
    if failed:
        raise BaseExceptionGroup(f"of {len(order)} interruptions, {met.total()} had been met", failed)
    scene.site.verify_trail()
    verify_unseen(scene)
    assert met.total() >= len(order[:ROUNDS]) / 2
    told = (
        f"{met.total()} of {len(order)} interruptions, {looks} looks, "
        f"longest by AWSPENDING alone {gap:.2f} s: {dict(sorted(met.items()))}"
    )
    # Where tests run side by side nothing is printed, but --junitxml keeps it.
    record_property("interrupted", told)
    with capsys.disabled():
        print(f"\n{told}")
