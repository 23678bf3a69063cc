"""Tests of the lambda_invoke service."""
