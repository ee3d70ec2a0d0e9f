"""The rig: a fake Messages API, load clients, and contenders in processes of their own.

It needs Linux: it pins processes to cores and reads ``/proc``.
"""
