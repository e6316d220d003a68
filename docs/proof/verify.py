"""Check a proof of `strongroom trail proof` by a key that was kept elsewhere: verify.py PROOF.json KEY"""

import json
import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(holds):
    return holds or sys.exit("REFUSED: this proves nothing.")


def decode(text):
    return check(b64encode(b64decode(text)).decode() == text) and b64decode(text)


def tree_of(note, name, key_id, public):  # the size and the root that a checkpoint is signed for
    text, signature = note.split(f"\n\n\N{EM DASH} {name} ")
    signed = decode(signature.removesuffix("\n"))
    check(text.startswith(f"{name}\n") and signature.endswith("\n") and signed[:4].hex() == key_id)
    Ed25519PublicKey.from_public_bytes(decode(public)[1:]).verify(signed[4:], f"{text}\n".encode())
    return int(text.split("\n")[1]), decode(text.split("\n")[2])


def node(left, right):
    return sha256(b"\x01" + left + right).digest()


def climb(old, size, path, base, leaf):  # RFC 6962, 2.1: the roots of the first `old` leaves, and of all
    if size == (1 if leaf else old):
        return check(old == size and len(path) == (base is None)) and (base or path[0],) * 2
    half = 1 << (size - 1).bit_length() - 1
    if old <= half:
        before, now = climb(old, half, path[:-1], base, leaf)
        return before, node(now, path[-1])
    roots = climb(old - half, size - half, path[:-1], base if leaf else None, leaf)
    return tuple(node(path[-1], each) for each in roots)


proof, key = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2].split("+", 2)
check(proof["format"] == "strongroom-trail-proof/1" and proof["public_key"] == sys.argv[2])
size, root = tree_of(proof["checkpoint"], *key)
leaf = sha256(f"\0{proof['slot']}\n{proof['line']}".encode()).digest()
path = [decode(each) for each in proof["path"]]
check(climb(proof["index"] + 1, size, path, leaf, True)[1] == root)
if "older" in proof:
    old, known = tree_of(proof["older"]["checkpoint"], *key)
    path = [decode(each) for each in proof["older"]["path"]]
    check(climb(old, size, path, known, False) == (known, root))
sys.stdout.write(f"PROVED: record {proof['index'] + 1} of {size}: {proof['line']}\n")
