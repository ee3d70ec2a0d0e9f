"""What else one could run: small servers that do the same job the plain way.

Each is told by its environment where it is and what it talks to: ``PORT`` (on
127.0.0.1), ``ANTHROPIC_BASE_URL`` and ``JWT_SECRET`` (HS256). Each comment ``In its
favour`` says what it need not do that ``streamchat_nb`` does.
"""
