"""`python -m connector` is `connector`."""

from connector.cli import main

main()
