"""What of the server's memory may get elsewhere, and how much of it there may be."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

__all__ = ["bound_memory", "keep_memory"]

_PR_SET_DUMPABLE: Final = 4


def keep_memory() -> None:
    """Nothing writes this process's memory to a file when it crashes, and nobody but the system's
    administrator reads or traces it; nor that of the processes it forks.

    SECURITY: it holds keys and values in clear (DESIGN promise 6). A limit of zero alone does not keep a
    collector of core files, to which the kernel pipes them.

    Raises:
        OSError: the system refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the process cannot be kept out of core files")


def bound_memory(data_bytes: int) -> None:
    """This process gets no more memory of its own than `data_bytes`; programs it starts may ask for more."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > data_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, most))
