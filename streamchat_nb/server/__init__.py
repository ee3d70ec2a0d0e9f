"""The Jupyter server extension: who are you, translate, nothing else."""
