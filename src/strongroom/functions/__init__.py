"""Running functions in a sandbox."""
