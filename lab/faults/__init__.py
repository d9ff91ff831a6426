"""The fault campaign: something goes wrong while the site is set up; a second run must end like an undisturbed one."""
