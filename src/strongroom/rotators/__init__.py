"""One rotator per kind of target."""
