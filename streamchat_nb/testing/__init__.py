"""Fakes and conformance suites for tests of this package and of its users."""
