"""`python -m tamiz` is the command `tamiz`."""

from tamiz.cli.start import run

if __name__ == "__main__":
    run()
