"""streamchat.v1: the values on the wire, their codec and one connection's rules.

Nothing here knows a clock, a socket or a framework.
"""
