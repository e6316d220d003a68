"""`strongroom` with one more engine to rotate: `support.drawer`. Run as a program."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = (sys.executable, str(Path(__file__).resolve()))
"""For `support.running.start`."""

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from strongroom.cli import main
    from strongroom.rotators import registry

    registry.BUILT_IN = {**registry.BUILT_IN, "drawer": "support.drawer:make"}
    main()
