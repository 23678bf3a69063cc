"""What SAM makes of a template: checked, built, run and updated."""
