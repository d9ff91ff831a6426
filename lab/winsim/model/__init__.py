"""The typed model of a simulated Windows PC: what it has, not how it is reached."""
