"""Sealing and opening: AES-256-GCM, key handles, the value envelope. Pure; spec: docs/spec/envelope.md."""
