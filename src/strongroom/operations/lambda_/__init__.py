"""The operations of Lambda."""
