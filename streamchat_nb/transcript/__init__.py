"""A conversation as something to keep: text, markdown, HTML, a notebook, JSON."""
