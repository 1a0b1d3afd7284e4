"""`python -m lampwork` is `lampwork`."""

from lampwork.cli import main

if __name__ == "__main__":
    main()
