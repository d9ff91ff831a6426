"""The lab: a simulated Internet and WSL distribution in which the real playbooks run."""
