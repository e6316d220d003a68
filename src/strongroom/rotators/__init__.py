"""What changes credentials in the systems they open: one module per kind of target.

`registry` knows which there are. `accounts` carries the two strategies for every target that has users and
passwords; an engine adds how to connect and how to change (DESIGN section 8, fact sheet rotation section 6).
"""
