"""PowerShell: the program powershell.exe and a small, documented subset of the language."""
