"""An order: validated, reserved, paid, told."""
