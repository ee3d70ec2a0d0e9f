"""Measurements, each file one question; each prints JSON."""
