"""The simulation, and the virtual time and the queues that it stands on."""
