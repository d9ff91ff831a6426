"""The fault campaign: something goes wrong while the site is set up, and a second run has to end like an undisturbed one."""
