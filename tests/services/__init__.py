"""Tests of the ready-made service adapters."""
