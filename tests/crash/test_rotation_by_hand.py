"""Somebody puts a value by hand when the target has gone away in the middle of a rotation, wherever that was: a
label is on what the target has got all the same (DESIGN promise 7), and the next rotation ends right.

STRONGROOM_CRASH_ROUNDS sets how many interruptions there are for each engine: four unless told otherwise; with
enough, the target goes away at every point.
"""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from botocore.exceptions import ClientError

from strongroom.secret.document import Strategy
from support.dialogue import until
from support.interruptions import Fate
from support.rotation_scene import Scene, a_scene, rotate, verify_unseen
from support.rotation_targets import running_target

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("STRONGROOM_CRASH_ROUNDS", "4"))
SINGLE = Strategy.SINGLE_USER


@pytest.fixture(scope="module", params=["postgresql", "mariadb", "redis"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        target, ports = running_target(request.param, stack)
        yield stack.enter_context(a_scene(tmp_path_factory.mktemp("scene"), target, ports))


def put_by_hand(scene: Scene, name: str) -> None:
    """Put a value that the target does not take; not while a step is being done."""
    value = json.loads(scene.client.get_secret_value(SecretId=name)["SecretString"])
    wrong = json.dumps({**value, "password": "not-what-the-target-has"})

    def put() -> bool:
        try:
            scene.client.put_secret_value(SecretId=name, SecretString=wrong)
        except ClientError as error:
            assert "while a step of the rotation is being done" in str(error)
            return False
        return True

    until(put)


def labelled(scene: Scene, name: str) -> dict[str, bool]:
    """Return for each label whether its version opens the target."""
    found = {}
    for labels in scene.client.describe_secret(SecretId=name)["VersionIdsToStages"].values():
        for label in labels:
            try:
                answer = scene.client.get_secret_value(SecretId=name, VersionStage=label)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "ResourceNotFoundException"
                continue
            found[label] = scene.opens(json.loads(answer["SecretString"]))
    return found


def test_what_the_target_got_has_a_label_after_a_value_was_put_by_hand(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    rotate(scene, scene.secret(SINGLE), SINGLE, None, lambda: Fate.ON)
    points = sorted(scene.interruptions.points(), key=lambda each: (each.kind, each.number, each.after))
    random.Random(20260101).shuffle(points)
    saved = 0
    for point in points[:ROUNDS]:
        name = scene.secret(SINGLE)
        scene.interruptions.arm(point, scene.refuse)
        token = scene.client.rotate_secret(SecretId=name, ClientRequestToken=str(uuid.uuid4()))["VersionId"]
        until(scene.interruptions.done.is_set)

        def is_over(name: str = name, token: str = token) -> bool:
            # Where the target is not needed any more, nothing fails.
            labels = scene.client.describe_secret(SecretId=name)["VersionIdsToStages"]
            return scene.failed_since() or labels.get(token) == ["AWSCURRENT"]

        until(is_over)
        put_by_hand(scene, name)
        scene.reopen()
        opening = labelled(scene, name)
        assert opening["AWSCURRENT"] is False, point
        assert any(opening.values()), (str(point), opening)
        saved += opening.get("STRONGROOM_ABANDONED", False)
        again = scene.client.rotate_secret(SecretId=name, ClientRequestToken=str(uuid.uuid4()))["VersionId"]

        def has_ended(name: str = name, again: str = again) -> bool:
            labels = scene.client.describe_secret(SecretId=name)["VersionIdsToStages"]
            return bool(labels.get(again) == ["AWSCURRENT"])

        until(has_ended, 60)
        assert labelled(scene, name) == {"AWSCURRENT": True, "AWSPREVIOUS": False}, point
        scene.values.append(json.loads(scene.client.get_secret_value(SecretId=name)["SecretString"]))
    scene.site.verify_trail()
    verify_unseen(scene)
    with capsys.disabled():
        print(f"\n{len(points[:ROUNDS])} of {len(points)} points; {saved} times our own label alone opened")
