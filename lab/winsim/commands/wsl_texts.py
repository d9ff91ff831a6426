"""What wsl.exe prints, in English and Chinese."""

from __future__ import annotations

# key -> (English, Chinese); {0} … are filled in
TEXTS = {
    "system": (
        "Running WSL as local system is not supported.",
        "不支持以本地系统身份运行 WSL。",
    ),
    "not installed": (
        ("The Windows Subsystem for Linux is not installed. You can install by running 'wsl.exe --install'.\n"
        "For more information please visit https://aka.ms/wslinstall"),
        ("未安装适用于 Linux 的 Windows 子系统。可通过运行 “wsl.exe --install” 进行安装。\n"
        "有关详细信息，请访问 https://aka.ms/wslinstall"),
    ),
    "no distribution": (
        ("Windows Subsystem for Linux has no installed distributions.\n"
        "You can resolve this by installing a distribution with the instructions below:\n\n"
        "Use 'wsl.exe --list --online' to list available distributions\n"
        "and 'wsl.exe --install <Distro>' to install."),
        ("适用于 Linux 的 Windows 子系统没有已安装的分发。\n"
        "可通过安装包含以下说明的分发来解决此问题:\n\n"
        "使用 “wsl.exe --list --online” 列出可用的分发\n"
        "和 “wsl.exe --install <Distro>” 进行安装。"),
    ),
    "unknown distribution": (
        "There is no distribution with the supplied name.",
        "不存在具有所提供名称的分发。",
    ),
    "exists": (
        "A distribution with the supplied name already exists. Use --name to choose a different name.",
        "具有所提供名称的分发已存在。请使用 --name 选择其他名称。",
    ),
    "argument": ("Invalid command line argument: {0}\nPlease use 'wsl.exe --help' to get a list of supported arguments.",
                 "命令行参数无效: {0}\n请使用 “wsl.exe --help” 获取受支持的参数列表。"),
    "reboot": (
        "The requested operation is successful. Changes will not be effective until the system is rebooted.",
        "请求的操作成功。直到重新启动系统前更改将不会生效。",
    ),
    "elevation": ("The requested operation requires elevation.", "请求的操作需要提升。"),
    "virtualization": (
        ("WSL2 is unable to start since virtualization is not enabled on this machine.\n"
        "Please ensure that the \"Virtual Machine Platform\" optional component is enabled, and that virtualization is "
        "turned on in your computer's firmware settings.\n"
        "Enable \"Virtual Machine Platform\" by running: wsl.exe --install --no-distribution\n"
        "For information please visit https://aka.ms/enablevirtualization"),
        ("当前计算机配置不支持 WSL2。\n请启用“虚拟机平台”可选组件，并确保在 BIOS 中启用虚拟化。\n"
        "通过运行以下命令启用“虚拟机平台”: wsl.exe --install --no-distribution\n"
        "有关信息，请访问 https://aka.ms/enablevirtualization"),
    ),
    "done": ("The operation completed successfully.", "操作成功完成。"),
    "installing": ("Installing: {0}", "正在安装: {0}"),
    "installed": ("Distribution successfully installed. It can be launched via 'wsl.exe -d {0}'",
                  "已成功安装分发。可以通过 “wsl.exe -d {0}” 启动它"),
    "downloading": ("Downloading: {0}", "正在下载: {0}"),
    "package installed": ("{0} has been installed.", "已安装 {0}。"),
    "no file": ("The system cannot find the file specified. ", "系统找不到指定的文件。 "),
    "not a distribution": (
        "The supplied file is not a valid Linux distribution.",
        "提供的文件不是有效的 Linux 分发。",
    ),
    "space": ("There is not enough space on the disk.", "磁盘空间不足。"),
    "network": ("The server name or address could not be resolved", "无法解析服务器的名称或地址"),
    "installer": ("Fatal error during installation.", "安装时发生严重错误。"),
    "attach": ("Failed to attach disk '{0}' to WSL2: {1}", "无法将磁盘“{0}”附加到 WSL2: {1}"),
    "path": ("The system cannot find the path specified. ", "系统找不到指定的路径。 "),
    "extension": ("The specified file must have the {0} file extension.", "指定的文件必须具有 {0} 文件扩展名。"),
    "import": ("Importing the distribution failed.", "导入分发失败。"),
    "no user": ("User not found.", "找不到用户。"),
    "code": ("Error code: {0}", "错误代码: {0}"),
}  # fmt: skip
