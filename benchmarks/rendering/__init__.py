"""What ``benchmarks.browser_rendering`` is made of."""
