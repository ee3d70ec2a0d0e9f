"""What was measured: as JSON, as a table, as pictures, and held to a baseline."""
