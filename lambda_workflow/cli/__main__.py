"""`python -m lambda_workflow.cli`, the same as the `lambda-workflow` command."""

import sys

from lambda_workflow.cli import main

sys.exit(main())
