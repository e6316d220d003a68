"""A run as Markdown."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from load import CONNECTIONS, Measured
from results import Result, Run, machine, middle

BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
OURS = "strongroom"
FLOOR = "floor"
LOOK_ALIKES = ("moto", "ministack")
NONE = "–"
BUSY = 0.05
"""The share of other work beyond which a reader is told that the machine was not free."""
DOES = {
    "strongroom": (
        "SigV4 of every call",
        "identity, resource and key policy on every call",
        "hash-chained record of every call, written before the answer, flushed every 50 ms",
        "flushed before the answer, several calls at once",
    ),
    "strongroom --sync-every-record": (
        "SigV4 of every call",
        "identity, resource and key policy on every call",
        "the same, flushed before the answer",
        "flushed before the answer, several calls at once",
    ),
    "floor": (
        "SigV4 of every call",
        "none",
        "a record of every call, not chained, not flushed",
        "nothing is written: a value is made up when it is first asked for",
    ),
    "moto": ("none, unless switched on", "none, unless switched on", "none", "in memory only"),
    "ministack": (
        "none, unless AUTH=true",
        "none, unless AUTH=true",
        "none, unless switched on",
        "in memory; saved at a graceful stop if switched on",
    ),
    "openbao": (
        "bearer token, sent with every call",
        "policy of the token; one layer",
        "two lines a call, values as keyed hashes, not chained, not flushed",
        "flushed before the answer (raft)",
    ),
}
"""What they do by design and with the settings used here: credentials, authorization, trail, durability."""


def page(run: Run) -> str:
    """Return the measured part of the performance page."""
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    parts = [
        f"Measured on {today} with `{run.command}`: {run.seconds} s for each number, "
        f"median of {run.rounds} interleaved rounds, {CONNECTIONS} connections, {run.secrets:,} secrets.\n\n"
        f"{machine()}. Other work on the machine took {run.elsewhere():.0%} of its processors{_busy(run)}",
        _rates(run),
        "### What each of them does for that\n\n" + _duties(run),
        "### The bars\n\n" + _bars(run),
    ]
    return "\n\n".join(parts) + "\n"


def write_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the markers of a page. Raises ValueError when it has none."""
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no {BEGIN} … {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _busy(run: Run) -> str:
    if run.elsewhere() <= BUSY:
        return " meanwhile."
    return " meanwhile: **rates and latencies are worse than they would be without it.**"


def _rates(run: Run) -> str:
    ours = _found(run, OURS)
    own_reads = middle(ours.reads, _rate) if ours else None
    own_writes = middle(ours.writes, _rate) if ours else None
    rows: list[Sequence[str]] = []
    for result in run.results:
        title = f"{result.name} {result.version}".strip()
        if result.failure is not None:
            rows.append((title, f"not measured: {_one_line(result.failure)}", *[NONE] * 11))
            continue
        rows.append(
            (
                title,
                *_five(result.reads, own_reads),
                *_five(result.writes, own_writes),
                _number(statistics.median(result.starts), 2) if result.starts else NONE,
                _memory(result.memory_idle),
            )
        )
    head = (
        "server",
        *("GetSecretValue /s", "× strongroom", "p50 ms", "p99 ms", "processor µs a call"),
        *("PutSecretValue /s", "× strongroom", "p50 ms", "p99 ms", "processor µs a call"),
        *("start s", "idle memory MB"),
    )
    notes = [
        "Processor: time of all the server's processes, which depends less than the rate on what else the "
        "machine does.",
        "Start: from the command, in an empty directory, to the first answer.",
        "Memory: proportional set size of all processes, one second after the start; in brackets the largest "
        "process below the first, which for strongroom is a worker.",
        "OpenBao's calls are reads and writes of KV version 2; its first answer is its seal status, and "
        "initialising and unsealing come on top.",
    ]
    return _table(head, rows) + "\n\n" + " ".join(notes)


def _five(measured: Sequence[Measured], own: float | None) -> Iterable[str]:
    rate = middle(measured, _rate)
    yield _number(rate)
    yield _number(rate / own, 2) if rate is not None and own else NONE
    yield _number(middle(measured, lambda one: one.p50_ms), 1)
    yield _number(middle(measured, lambda one: one.p99_ms), 1)
    yield _number(middle(measured, lambda one: one.processor_us))


def _duties(run: Run) -> str:
    rows = []
    for result in run.results:
        credentials, authorization, trail, durable = DOES[result.name]
        rows.append(
            (
                result.name,
                credentials
                + _tried(result.refuses_bad_credentials, "refused a wrong one", "took a wrong one"),
                authorization,
                _at_rest(result),
                trail,
                durable + _tried(result.survives_kill, "there after kill -9", "gone after kill -9"),
            )
        )
    head = ("server", "credentials", "authorization", "values on disk", "audit trail", "a write")
    return (
        _table(head, rows)
        + "\n\n*Tried* was found out in this run; the rest is from their documentation and sources."
    )


def _tried(found: bool | None, yes: str, no: str) -> str:
    return "" if found is None else f" (*tried: {yes if found else no}*)"


def _at_rest(result: Result) -> str:
    if result.in_clear is None:
        return NONE
    if result.in_clear:
        return "*tried: in clear*"
    return "*tried: encrypted*" if result.stores else "*tried: none are kept*"


def _bars(run: Run) -> str:
    reads, reads_p99 = _medians(run, OURS, lambda result: result.reads)
    writes, writes_p99 = _medians(run, OURS, lambda result: result.writes)
    rivals = [rate for name in LOOK_ALIKES if (rate := _medians(run, name, lambda one: one.reads)[0])]
    bao, _ = _medians(run, "openbao", lambda result: result.reads)
    floor, _ = _medians(run, FLOOR, lambda result: result.reads)
    rows = [
        _bar("GetSecretValue a second", reads, 10_000, at_least=True),
        _bar("GetSecretValue p99, ms", reads_p99, 10, places=1),
        _bar(
            "GetSecretValue ÷ the fastest AWS look-alike's",
            reads / max(rivals) if reads and rivals else None,
            6,
            at_least=True,
            places=1,
        ),
        _bar(
            "GetSecretValue ÷ OpenBao's KV read with a file audit device",
            reads / bao if reads and bao else None,
            1,
            at_least=True,
            places=2,
        ),
        _bar("GetSecretValue ÷ the floor's", reads / floor if reads and floor else None, places=2),
        _bar("PutSecretValue a second, flushed", writes, 1000, at_least=True),
        _bar("PutSecretValue p99, ms", writes_p99, 80, places=1),
        *_bars_of_one(run),
        *_bars_of_many(run),
    ]
    text = _table(("what", "bar", "measured", ""), rows)
    if run.many is not None and run.many.failure is not None:
        text += f"\n\nMany secrets: not measured: {_one_line(run.many.failure)}"
    return text


def _bars_of_one(run: Run) -> Iterable[Sequence[str]]:
    ours = _found(run, OURS)
    yield _bar("start, empty, s", statistics.median(ours.starts) if ours else None, 1.0, places=2)
    yield _bar("memory of an idle worker, MB", _worker_memory(ours.memory_idle) if ours else None, 80)


def _bars_of_many(run: Run) -> Iterable[Sequence[str]]:
    many = run.many if run.many and run.many.failure is None else None
    small = middle(many.small, lambda one: one.p50_ms) if many else None
    large = middle(many.large, lambda one: one.p50_ms) if many else None
    with_many = f"with {many.secrets:,} secrets" if many else "with many secrets (`--secrets 1000000`)"
    yield _bar(
        f"GetSecretValue p50 {with_many} ÷ with {run.secrets:,}",
        large / small if large and small else None,
        1.2,
        places=2,
    )
    yield _bar(f"start {with_many}, s", statistics.median(many.starts) if many else None, 2.0, places=2)
    yield _bar(
        f"memory of a worker after reading, {with_many}, MB", _worker_memory(many.memory) if many else None
    )


def _medians(
    run: Run, name: str, which: Callable[[Result], Sequence[Measured]]
) -> tuple[float | None, float | None]:
    """Return rate and p99; None for each when it was not measured."""
    found = _found(run, name)
    measured = which(found) if found else ()
    return middle(measured, _rate), middle(measured, lambda one: one.p99_ms)


def _bar(
    what: str, measured: float | None, bar: float | None = None, *, at_least: bool = False, places: int = 0
) -> Sequence[str]:
    if bar is None:
        return what, NONE, "not measured in this run" if measured is None else _number(measured, places), ""
    limit = f"{'≥' if at_least else '≤'} {bar:,}"
    if measured is None:
        return what, limit, "not measured in this run", ""
    met = measured >= bar if at_least else measured <= bar
    return what, limit, _number(measured, places), "met" if met else "**not met**"


def _found(run: Run, name: str) -> Result | None:
    return next((one for one in run.results if one.name == name and one.failure is None), None)


def _rate(measured: Measured) -> float:
    return measured.rate


def _memory(processes: Sequence[float]) -> str:
    if not processes:
        return NONE
    total = _number(sum(processes))
    return f"{total} ({_number(_worker_memory(processes))})" if len(processes) > 1 else total


def _worker_memory(processes: Sequence[float]) -> float | None:
    """Return what the largest process below the first holds; the first's own when it is alone."""
    return max(processes[1:] or processes, default=None)


def _number(number: float | None, places: int = 0) -> str:
    return NONE if number is None else f"{number:,.{places}f}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
