"""Tools: functions a model may call, their schemas, their sets and their results."""
