"""Tests of the services s3_copy, s3_wait, s3_get and s3_put."""
