"""Texts that Windows and WSL print in the display language of the machine."""

from __future__ import annotations

# Win32 error texts; English and Chinese
_ERRORS = {
    2: ("The system cannot find the file specified", "系统找不到指定的文件。"),
    3: ("The system cannot find the path specified", "系统找不到指定的路径。"),
    5: ("Access is denied", "拒绝访问。"),
    32: (
        "The process cannot access the file because it is being used by another process",
        "另一个程序正在使用此文件，进程无法访问。",
    ),
    193: ("%1 is not a valid Win32 application", "%1 不是有效的 Win32 应用程序。"),
    1312: (
        "A specified logon session does not exist. It may already have been terminated",
        "指定的登录会话不存在。可能已被终止。",
    ),
    1392: ("The file or directory is corrupted and unreadable", "文件或目录损坏且无法读取。"),
    1618: (
        "Another installation is already in progress. Complete that installation before proceeding with this install",
        "另一个安装操作正在进行。请在继续这个安装操作之前完成那个操作。",
    ),
    1920: ("The file cannot be accessed by the system", "系统无法访问此文件。"),
}


def win32(code: int, language: str) -> str:
    """The text of a Win32 error; the number alone if it has none here."""
    english, chinese = _ERRORS.get(code, (f"Unknown error (0x{code:x})",) * 2)
    return chinese if language == "zh-CN" else english
