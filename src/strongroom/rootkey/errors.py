"""What is said when there is no root key to work with."""

from __future__ import annotations


class RootKeyError(Exception):
    """The root key is missing, unsafe, malformed or the wrong one. `message` tells the operator what to do.

    The command line answers it with exit code 3. It never holds key bytes or a passphrase.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
