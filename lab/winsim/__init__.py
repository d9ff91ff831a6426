"""winsim: a simulated Windows host that speaks real WS-Management."""

__version__ = "0.1.0"
