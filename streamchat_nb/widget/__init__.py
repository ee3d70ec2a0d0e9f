"""The chat widget for notebook cells."""
