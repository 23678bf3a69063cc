"""What other engines publish of their behaviour, as cases against this one; see `family.py`."""
