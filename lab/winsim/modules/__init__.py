"""What Ansible modules do to the machine. Every file registers its handlers with ``runtime.module``."""
