"""`python -m orchestrator.cli`: the command line where the console entry is not on the PATH."""

from orchestrator.cli import main

main()
