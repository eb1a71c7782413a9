"""`python -m voiceflow`: the command line, for when its script is not on the path."""

from voiceflow.cli import main

if __name__ == "__main__":
    main()
