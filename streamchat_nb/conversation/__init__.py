"""A conversation is an append-only log of events; its state is their fold."""
