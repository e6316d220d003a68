"""Measures strongroom beside others that answer the same calls, in one run: `python bench/compare.py`.

Prints a page section in Markdown; `--write docs/performance.md` puts it there, between two markers.
Everything it makes is below bench/.work; the servers listen on the loopback interface only and are stopped
at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from contenders import CANARY, CONTENDERS, Contender, NotInstalled, Strongroom, name
from load import Measured, Missing, Refused, need_wrk, send, send_all
from processes import Ended
from results import Many, Result, Run
from tables import page, write_between_markers

WORK = Path(__file__).with_name(".work")
SECRETS = 1000
WRITES_A_SECOND = 4000
"""Writes are signed beforehand, each with a token of its own; this many to begin with."""
SAMPLE = 100_000
"""Of many secrets, so many are read, in random order: the file of requests has to fit in memory."""
SETTLE_SECONDS = 1.0
TOLERATED = 0.01
"""The share of calls that may fail under load; they do not count as answers."""


class Unusable(Exception):
    """A measurement means nothing; the message says why."""


FAILURES = (NotInstalled, Ended, Unusable, Refused, OSError, EOFError, subprocess.SubprocessError)
"""What may go wrong with one of them without ending the run."""


def main() -> None:
    options = _options()
    try:
        need_wrk()
    except Missing as missing:
        sys.exit(f"compare: {missing}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped
    WORK.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=WORK, prefix="run-"))
    run = Run(seconds=options.seconds, rounds=options.rounds, secrets=SECRETS, command=_command(options))
    try:
        _measure(run, work, options)
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)
    text = page(run)
    print(text)
    if options.write is not None:
        write_between_markers(options.write, text)
        _say(f"written to {options.write}")


def _options() -> argparse.Namespace:
    every = [contender.name for contender in CONTENDERS]
    parser = argparse.ArgumentParser(description="Measure strongroom beside others, in one run.")
    parser.add_argument("--only", action="append", choices=every, help="measure this one; may be repeated")
    parser.add_argument("--seconds", type=int, default=4, help="length of each measurement [4]")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each; medians count [3]")
    parser.add_argument(
        "--secrets", type=int, default=0, metavar="N", help="also fill a room with N secrets [off]"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the measured part of this page")
    parser.add_argument("--keep", action="store_true", help="leave the servers' directories in bench/.work")
    options = parser.parse_args()
    if min(options.seconds, options.rounds) < 1:
        parser.error("--seconds and --rounds are at least 1")
    if options.write is not None and not options.write.is_file():
        parser.error(f"there is no page {options.write}")
    return options


def _command(options: argparse.Namespace) -> str:
    parts = ["python bench/compare.py", f"--seconds {options.seconds}", f"--rounds {options.rounds}"]
    parts += [f"--secrets {options.secrets}"] if options.secrets else []
    parts += [f"--only '{one}'" for one in options.only or ()]
    return " ".join(parts)


def _measure(run: Run, work: Path, options: argparse.Namespace) -> None:
    chosen = [one for one in CONTENDERS if not options.only or one.name in options.only]
    running: list[Contender] = []
    try:
        for kind in chosen:
            result = run.add(kind.name)
            with _reported(result):
                _begin(kind, work, result, running, options.rounds)
        for turn in range(options.rounds):
            for contender, result in _alive(run, running):
                with _reported(result):
                    _say(f"round {turn + 1} of {options.rounds}: {contender.name}")
                    result.reads.append(_reads(contender, range(SECRETS), options.seconds))
                    result.writes.append(_writes(contender, options.seconds))
        if options.secrets:
            _many(run, work, running, options)
        for contender, result in _alive(run, running):
            with _reported(result):
                _say(f"trying {contender.name}")
                _probe(contender, result)
    finally:
        for contender in running:
            contender.stop()


def _alive(run: Run, running: Sequence[Contender]) -> Iterator[tuple[Contender, Result]]:
    """Give those that nothing has gone wrong with so far."""
    for contender in running:
        result = run.of(contender.name)
        if result.failure is None:
            yield contender, result


@contextlib.contextmanager
def _reported(result: Result) -> Iterator[None]:
    """Note why a contender could not be measured, and go on with the others."""
    try:
        yield
    except FAILURES as error:
        result.failure = str(error) or type(error).__name__
        _say(f"{result.name}: not measured: {result.failure}")


def _begin(
    kind: Callable[[Path, Path], Contender],
    work: Path,
    result: Result,
    running: list[Contender],
    rounds: int,
) -> None:
    """Start one, filled with secrets. The starts that are timed are each in a directory of their own."""
    for turn in range(rounds):
        fresh = kind(work / f"start-{turn}", WORK)
        if turn == 0:
            _say(f"installing and starting {fresh.name}")
            fresh.install()
            result.version, result.first_answer = fresh.version(), fresh.first_answer
        try:
            result.starts.append(fresh.start())
        finally:
            fresh.stop()
    contender = kind(work, WORK)
    running.append(contender)
    contender.start()
    time.sleep(SETTLE_SECONDS)
    result.memory_idle = contender.memory()
    contender.prepare()
    contender.create(range(SECRETS))
    _warm(contender)


def _warm(contender: Contender) -> None:
    """Read every secret once, and see that the answers are the values."""
    answers = send_all(contender.endpoint, [contender.read(number) for number in range(SECRETS)])
    for number, answer in enumerate(answers):
        if f"{CANARY} {number:07}".encode() not in answer:
            raise Unusable(f"the answer for {name(number)} is not its value")


def _reads(contender: Contender, numbers: Sequence[int], seconds: int) -> Measured:
    return _accepted(contender.measure(map(contender.read, numbers), seconds))


def _writes(contender: Contender, seconds: int) -> Measured:
    """Measure writes. A token sent twice would be no write, so there must be enough of them."""
    prepared = WRITES_A_SECOND * seconds
    while True:
        calls = (contender.write(number % SECRETS) for number in range(prepared))
        measured = _accepted(contender.measure(calls, seconds))
        if measured.requests <= prepared:
            return measured
        prepared = measured.requests * 2


def _accepted(measured: Measured) -> Measured:
    """Return it. Raises Unusable when too many calls failed for it to mean anything."""
    failed = measured.refused + measured.broken
    if failed >= measured.requests * TOLERATED:
        raise Unusable(
            f"of {measured.requests} calls {measured.refused} were refused and {measured.broken} broke off"
        )
    return measured


def _many(run: Run, work: Path, running: Sequence[Contender], options: argparse.Namespace) -> None:
    """Fill a second strongroom and read from it and from the small one in turn."""
    small = next((one for one in running if type(one) is Strongroom), None)
    if small is None or run.of(small.name).failure is not None:
        return
    large = Strongroom(work / "many", WORK)
    many = run.many = Many(secrets=options.secrets)
    try:
        large.start()
        large.prepare()
        _say(f"creating {options.secrets} secrets")
        large.create(range(options.secrets))
        chosen = random.Random(1).sample(range(options.secrets), min(options.secrets, SAMPLE))
        for _ in range(options.rounds):
            many.small.append(_reads(small, range(SECRETS), options.seconds))
            many.large.append(_reads(large, chosen, options.seconds))
        many.memory = large.memory()
        for _ in range(options.rounds):
            large.stop()
            many.starts.append(large.start())
    except FAILURES as error:
        many.failure = str(error) or type(error).__name__
    finally:
        large.stop()


def _probe(contender: Contender, result: Result) -> None:
    """Find out what it does by trying: bad credentials, the power cut, values in clear on disk."""
    try:
        send(contender.endpoint, contender.tampered())
        result.refuses_bad_credentials = False
    except Refused:
        result.refuses_bad_credentials = True
    send(contender.endpoint, contender.write(0))
    contender.kill()
    try:
        contender.start()
        result.survives_kill = CANARY.encode() in send(contender.endpoint, contender.read(0))
    except Refused as error:
        if error.status >= 500:
            raise
        result.survives_kill = False
    contender.stop()
    result.in_clear = _on_disk(contender.directory, CANARY.encode())
    result.stores = any(
        path.is_file() and path.stat().st_size > SECRETS * 100 and path.name != "log"
        for path in contender.directory.rglob("*")
    )


def _on_disk(directory: Path, wanted: bytes) -> bool:
    """True when some file below the directory holds the bytes."""
    for path in directory.rglob("*"):
        if not path.is_file():
            continue
        with path.open("rb") as file:
            kept = b""
            while block := file.read(1 << 20):
                if wanted in kept + block:
                    return True
                kept = block[-len(wanted) :]
    return False


def _say(text: str) -> None:
    print(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
