"""An App whose adapters need something of their stack."""
