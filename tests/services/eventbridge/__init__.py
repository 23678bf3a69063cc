"""Tests of the services eventbridge_publish and eventbridge_wait."""
