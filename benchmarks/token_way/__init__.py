"""What ``benchmarks.token_profile`` is made of."""
