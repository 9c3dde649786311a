"""`python -m inglenook`: the command line."""

from inglenook.cli import main

if __name__ == "__main__":
    main()
