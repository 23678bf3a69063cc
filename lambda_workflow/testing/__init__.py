"""Host 3: everything in memory and in virtual time, for tests of this package and of its users."""
