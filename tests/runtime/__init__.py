"""One turn, on a host in memory whose clock the tests move."""
