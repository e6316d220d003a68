"""The domain of Lambda: functions, their code, their policies. Pure."""
