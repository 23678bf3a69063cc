"""Tests of what is distributed."""
