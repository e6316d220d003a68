"""The operations of each service: one handler and one declaration each."""
