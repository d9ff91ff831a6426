"""Command lines of Windows: how a program takes its arguments apart, and how they are put together."""

from __future__ import annotations

from collections.abc import Iterable


def split_command_line(text: str) -> list[str]:
    """Split a command line by the rules of CommandLineToArgvW.

    Backslashes are literal unless a quote follows them; ``""`` inside quotes is one quote.
    """
    arguments: list[str] = []
    text = text.lstrip(" \t")
    position = 0
    if text:  # the program name knows no escapes
        if text[0] == '"':
            end = text.find('"', 1)
            end = len(text) if end < 0 else end
            arguments.append(text[1:end])
            position = end + 1
        else:
            end = next((at for at, char in enumerate(text) if char in " \t"), len(text))
            arguments.append(text[:end])
            position = end
    current: list[str] | None = None
    quoted = False
    while position < len(text):
        char = text[position]
        if char == "\\":
            end = position
            while end < len(text) and text[end] == "\\":
                end += 1
            count = end - position
            current = current if current is not None else []
            if end < len(text) and text[end] == '"':
                current.append("\\" * (count // 2))
                if count % 2:
                    current.append('"')
                    end += 1
            else:
                current.append("\\" * count)
            position = end
            continue
        if char == '"':
            current = current if current is not None else []
            if quoted and text[position + 1 : position + 2] == '"':
                current.append('"')
                position += 2
                continue
            quoted = not quoted
        elif char in " \t" and not quoted:
            if current is not None:
                arguments.append("".join(current))
            current = None
        else:
            current = current if current is not None else []
            current.append(char)
        position += 1
    if current is not None:
        arguments.append("".join(current))
    return arguments


def join_command_line(argv: Iterable[str]) -> str:
    """Quote arguments so that :func:`split_command_line` gives them back (the program name must hold no quote)."""
    parts = []
    for index, argument in enumerate(argv):
        if argument and not any(char in argument for char in ' \t\n\v"'):
            parts.append(argument)
        elif index == 0:
            parts.append(f'"{argument}"')
        else:
            parts.append(_quote(argument))
    return " ".join(parts)


def _quote(argument: str) -> str:
    text, backslashes = ['"'], 0
    for char in argument:
        if char == "\\":
            backslashes += 1
            continue
        text.append("\\" * (backslashes * 2 + 1 if char == '"' else backslashes) + char)
        backslashes = 0
    text.append("\\" * (backslashes * 2) + '"')
    return "".join(text)
