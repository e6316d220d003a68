"""The index of the trail: what LookupEvents and `strongroom trail search` are answered from.

Derived from the segments and from nothing else; whoever deletes it has it made again. Normative:
docs/spec/index.md.
"""
