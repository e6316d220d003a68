"""The Secrets Manager API."""
