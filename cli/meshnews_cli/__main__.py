"""Lets ``python -m meshnews_cli`` run the command line."""

from meshnews_cli.main import main

if __name__ == "__main__":
    main()
