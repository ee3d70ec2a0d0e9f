"""Agents and models: what answers a user's message, one turn at a time."""
