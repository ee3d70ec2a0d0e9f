"""Clients of a streamchat server in Python: scripts, terminals and kernels."""
