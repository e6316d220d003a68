"""Memory of the server stays in memory: tried in processes of their own, which cannot take it back."""

from __future__ import annotations

import subprocess
import sys

GET_DUMPABLE = 3


def said(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_no_core_file_is_written_and_nobody_traces() -> None:
    assert said(
        "import ctypes, os, resource\n"
        "from strongroom.server.memory import keep_memory\n"
        "keep_memory()\n"
        "print(*resource.getrlimit(resource.RLIMIT_CORE), flush=True)\n"
        "if os.fork() == 0:\n"
        f"    print(ctypes.CDLL(None).prctl({GET_DUMPABLE}, 0, 0, 0, 0), flush=True)\n"
        "else:\n"
        "    os.wait()\n"
    ) == ["0", "0", "0"]


def test_a_process_gets_no_more_memory_and_what_it_starts_may() -> None:
    assert said(
        "import resource, subprocess, sys\n"
        "from strongroom.server.memory import bound_memory\n"
        "bound_memory(300_000_000)\n"
        "try:\n"
        "    bytearray(400_000_000)\n"
        "except MemoryError:\n"
        "    print('refused', flush=True)\n"
        "more = 'import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)); '\n"
        "more += 'print(len(bytearray(400_000_000)))'\n"
        "subprocess.run([sys.executable, '-c', more], check=True)\n"
    ) == ["refused", "400000000"]
