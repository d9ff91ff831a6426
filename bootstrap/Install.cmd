@echo off
rem Double-click this in the unpacked ZIP. It starts Install.ps1, which says what it does.
"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -ExecutionPolicy Bypass -File "%~dp0Install.ps1" %*
if errorlevel 1 pause
