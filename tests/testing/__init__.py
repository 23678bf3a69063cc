"""Tests of the kit that authors test their workflows with."""
