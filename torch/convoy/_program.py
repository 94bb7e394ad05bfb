"""The command `convoy` of a wheel: becomes the program that the wheel carries."""

import os
import sys


def main():
    from convoy import program_path

    try:
        program = program_path()
    except RuntimeError as error:
        sys.exit(str(error))
    os.execv(program, [program, *sys.argv[1:]])
