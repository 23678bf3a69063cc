"""A trip of three bookings, of which none is kept unless all are."""
