"""Accounts, users, access keys and the principals they sign as. Pure."""
