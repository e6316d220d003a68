"""The embedded store: the data directory (`room`) and `ports.Store` over SQLite (`sqlite`)."""
