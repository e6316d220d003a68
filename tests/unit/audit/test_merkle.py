"""The Merkle tree of RFC 6962: the vectors of its reference implementation, and a naive tree beside it."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit.merkle import (
    EMPTY_ROOT,
    CompactTree,
    consistency_proof,
    hash_children,
    hash_leaf,
    inclusion_proof,
    is_consistent,
    is_included,
    root_of,
)

LEAVES = [
    hash_leaf(bytes.fromhex(data))
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The roots of the first 1, 2, … 8 leaves, as the Certificate Transparency project publishes them."""


def naive_root(leaves: list[bytes]) -> bytes:
    """The definition of section 2.1, word by word, over hashes of leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(old: int, leaves: list[bytes], known: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of section 2.1.2."""
    if old == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if old <= k:
        return [*naive_subproof(old, leaves[:k], known), naive_root(leaves[k:])]
    return [*naive_subproof(old - k, leaves[k:], False), naive_root(leaves[:k])]


def numbered(size: int) -> list[bytes]:
    return [hash_leaf(b"%d" % number) for number in range(size)]


class Tree:
    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def __call__(self, low: int, high: int) -> bytes:
        return root_of(self.leaves[low:high])


class TestVectors:
    def test_the_empty_tree(self) -> None:
        assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        assert root_of([]) == EMPTY_ROOT

    @pytest.mark.parametrize("size", range(1, 9))
    def test_the_published_roots(self, size: int) -> None:
        assert root_of(LEAVES[:size]).hex() == ROOTS[size - 1]

    @pytest.mark.parametrize(
        ("index", "size", "path"),
        [
            (0, 1, []),
            (
                0,
                8,
                [
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ],
            ),
            (
                5,
                8,
                [
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ],
            ),
            (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        ],
    )
    def test_the_published_inclusion_proofs(self, index: int, size: int, path: list[str]) -> None:
        found = inclusion_proof(index, size, Tree(LEAVES))
        assert [each.hex() for each in found] == path
        assert is_included(LEAVES[index], index, size, found, bytes.fromhex(ROOTS[size - 1]))

    @pytest.mark.parametrize(
        ("old", "new", "path"),
        [
            (1, 1, []),
            (
                1,
                8,
                [
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ],
            ),
            (
                6,
                8,
                [
                    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ],
            ),
        ],
    )
    def test_the_published_consistency_proofs(self, old: int, new: int, path: list[str]) -> None:
        found = consistency_proof(old, new, Tree(LEAVES))
        assert [each.hex() for each in found] == path
        roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
        assert is_consistent(old, new, *roots, found)


class TestAgainstTheDefinition:
    @given(st.lists(st.binary(max_size=4), max_size=70))
    def test_roots(self, data: list[bytes]) -> None:
        leaves = [hash_leaf(each) for each in data]
        assert root_of(leaves) == naive_root(leaves)

    @given(st.integers(0, 130), st.integers(0, 70))
    def test_a_tree_goes_on_from_its_hashes(self, size: int, more: int) -> None:
        leaves = numbered(size + more)
        tree = CompactTree()
        for leaf in leaves[:size]:
            tree.append(leaf)
        again = CompactTree(tree.size, tree.hashes)
        for leaf in leaves[size:]:
            again.append(leaf)
        assert (again.size, again.root()) == (size + more, naive_root(leaves))
        assert (tree.size, tree.root()) == (size, naive_root(leaves[:size])), "the first one did not grow"

    @given(st.data())
    def test_inclusion(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(1, 90))
        index = data.draw(st.integers(0, size - 1))
        leaves = numbered(size)
        path = inclusion_proof(index, size, Tree(leaves))
        root = naive_root(leaves)
        assert path == naive_path(index, leaves)
        assert is_included(leaves[index], index, size, path, root)
        assert not is_included(hash_leaf(b"another"), index, size, path, root)
        assert not is_included(leaves[index], index, size, [*path, root], root)
        assert not is_included(leaves[index], size, size, path, root)
        other = data.draw(st.integers(0, size - 1))
        assert is_included(leaves[index], other, size, path, root) is (other == index)
        if path:
            assert not is_included(leaves[index], index, size, path[:-1], root)
            spoiled = data.draw(st.integers(0, len(path) - 1))
            path[spoiled] = hash_children(path[spoiled], path[spoiled])
            assert not is_included(leaves[index], index, size, path, root)

    @given(st.data())
    def test_consistency(self, data: st.DataObject) -> None:
        new = data.draw(st.integers(1, 90))
        old = data.draw(st.integers(1, new))
        leaves = numbered(new)
        path = consistency_proof(old, new, Tree(leaves))
        before, after = naive_root(leaves[:old]), naive_root(leaves)
        assert path == naive_subproof(old, leaves, True)
        assert is_consistent(old, new, before, after, path)
        assert not is_consistent(old, new, hash_leaf(before), after, path)
        assert not is_consistent(old, new, before, hash_leaf(after), path)
        assert not is_consistent(old, new, before, after, [*path, before])
        if path:
            assert not is_consistent(old, new, before, after, path[:-1])
            spoiled = data.draw(st.integers(0, len(path) - 1))
            path[spoiled] = hash_children(path[spoiled], path[spoiled])
            assert not is_consistent(old, new, before, after, path)


class TestRefusals:
    @pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
    def test_there_is_no_proof_of_a_leaf_that_is_not_there(self, index: int, size: int) -> None:
        with pytest.raises(ValueError, match=r"^there is no such leaf$"):
            inclusion_proof(index, size, Tree(numbered(3)))
        assert not is_included(numbered(3)[0], index, size, [], root_of(numbered(3)))

    @pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
    def test_there_is_no_proof_between_such_sizes(self, old: int, new: int) -> None:
        with pytest.raises(ValueError, match=r"^there is no proof between trees of these sizes$"):
            consistency_proof(old, new, Tree(numbered(4)))
        assert not is_consistent(old, new, EMPTY_ROOT, root_of(numbered(3)), [])

    @pytest.mark.parametrize(("size", "hashes"), [(1, ()), (3, (EMPTY_ROOT,)), (1, (b"short",)), (-1, ())])
    def test_a_tree_does_not_go_on_from_other_hashes(self, size: int, hashes: tuple[bytes, ...]) -> None:
        with pytest.raises(ValueError, match=r"^these are not the hashes of a tree of that size$"):
            CompactTree(size, hashes)
