"""What command-line programs do to the machine. Every file registers its handlers with ``runtime.command``."""
