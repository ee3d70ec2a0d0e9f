"""What is measured, a module for each kind of question.

Each module has ``AXES`` and ``async def measure(rig, *, quick)``, which measures all
contenders in turn, again and again, so that noise hits all of them alike.
"""
