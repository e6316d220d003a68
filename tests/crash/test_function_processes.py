"""The process a rotation function runs in ends in the middle of a step, by others' hands or by its own: the
rotation ends right by a later attempt, and at every moment some label opens the database (DESIGN promise 7).

STRONGROOM_CRASH_ROUNDS sets how many ways to end each point and strategy meets: two unless told otherwise,
the whole of them from five on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from strongroom.functions.confinement import Level, sandbox_level
from strongroom.secret.document import Strategy
from support.interruptions import Fate, Point
from support.postgres_server import running_postgres
from support.postgres_target import PostgresTarget
from support.rotation_functions import a_function, a_role
from support.rotation_scene import Scene, a_scene, rotate, verify_unseen
from support.stopping_functions import POINTS, Stops, stopping, stops

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("STRONGROOM_CRASH_ROUNDS", "2"))
FUNCTION_SECONDS = 8
MODULES = {Strategy.SINGLE_USER: "single_user", Strategy.ALTERNATING_USERS: "alternating_users"}

HARMS: dict[str, tuple[Callable[[Stops], Callable[[], Fate]], str]] = {
    "killed": (lambda to: to.kill, "signal: killed"),
    "its own exit": (lambda to: to.saying("exit"), "exit status 3"),
    "too large": (lambda to: to.saying("grow"), "signal: killed"),
    "out of memory": (lambda to: to.saying("take all"), ""),
    "out of time": (lambda to: to.saying("hang"), f"Task timed out after {FUNCTION_SECONDS}.00 seconds"),
}
"""What is done, and what the function's log then says. Who takes memory fast either gets no more or is ended."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, Stops]]:
    level, words = sandbox_level()
    if level is Level.NONE:
        pytest.skip(f"functions cannot be shut in here: {words}")
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        target, ports = PostgresTarget(postgres), {"port": postgres.port}
        made = stack.enter_context(a_scene(tmp_path_factory.mktemp("scene"), target, ports))
        asked = stack.enter_context(stops(made.interruptions))
        role = a_role(made.server)
        made.functions = {
            strategy: a_function(
                made.server,
                role,
                "postgresql",
                module,
                seconds=FUNCTION_SECONDS,
                code=stopping("postgresql", module),
                variables={"STOPS_AT": asked.address},
            )
            for strategy, module in MODULES.items()
        }
        yield made, asked


def printed(scene: Scene) -> set[str]:
    """Return what all calls of functions have printed."""
    kept = scene.site.data_dir.glob("functions/logs/*/*/*/current.jsonl")
    return {line for path in kept for line in path.read_text().splitlines()}


@pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
@pytest.mark.parametrize("step", POINTS)
def test_a_function_whose_process_ends_is_run_again_and_the_target_stays_open(
    scene: tuple[Scene, Stops], strategy: Strategy, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made, asked = scene
    first = POINTS.index(step) + 2 * [*Strategy].index(strategy)
    harms = [*HARMS][first % len(HARMS) :] + [*HARMS][: first % len(HARMS)]
    pending: Counter[str] = Counter()
    for harm in harms[:ROUNDS]:
        act, told = HARMS[harm]
        before, failures = printed(made), made.failures()
        ended = rotate(made, made.secret(strategy), strategy, Point(step, 1, after=True), act(asked))
        assert ended.met, f"{harm}: {step} was not come to"
        assert made.failures() == failures + 1, f"{harm}: the attempt did not fail"
        assert any(told in line for line in printed(made) - before)
        pending[harm] = ended.by_pending_alone
    made.site.verify_trail()
    verify_unseen(made)
    # With alternating users AWSCURRENT opens all along.
    assert strategy is Strategy.SINGLE_USER or not pending.total()
    with capsys.disabled():
        print(f"\n{step}, {strategy.value}: looks at which AWSPENDING alone opened: {dict(pending)}")
