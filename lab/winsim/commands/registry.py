"""reg.exe: queries, adds and deletes, in the words that the product uses."""

from __future__ import annotations

from lab.winsim.commands.output import complain, either, is_elevated, say
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model.registry import Key, RegistryView, Value
from lab.winsim.process import Process

_LONG = {"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER"}


@command("reg.exe")
def reg(process: Process) -> int:
    """``query KEY [/v NAME | /s | /s /v NAME]``, ``add KEY /v NAME [/t REG_SZ] /d TEXT [/f]``, ``delete KEY [/v NAME] /f``."""
    words = process.argv[1:]
    if len(words) < 2 or words[0] not in ("query", "add", "delete"):
        raise SimulatorError(f"reg: arguments not known: {words}")
    view, path = process.machine.registry.view(process.user), words[1]
    root = path.partition("\\")[0].upper()
    if root not in _LONG:
        raise SimulatorError(f"reg: root of {path} not known")
    with process.machine.lock:
        if words[0] == "query":
            return _query(process, view, path, words[2:])
        if root == "HKLM" and not is_elevated(process):
            complain(process, either(process, "错误: 拒绝访问。", "ERROR: Access is denied."))
            return 1
        return (_add if words[0] == "add" else _delete)(process, view, path, words[2:])


def _add(process: Process, view: RegistryView, path: str, words: list[str]) -> int:
    words = [word for word in words if word != "/f"]
    if words[2:4] == ["/t", "REG_SZ"]:
        del words[2:4]
    if len(words) != 4 or (words[0], words[2]) != ("/v", "/d"):
        raise SimulatorError(f"reg add: arguments not known: {words}")
    view.set(path, words[1], words[3])
    return _done(process)


def _delete(process: Process, view: RegistryView, path: str, words: list[str]) -> int:
    if words == ["/f"]:
        return _done(process) if view.delete(path) else _missing(process)
    if len(words) != 3 or (words[0], words[2]) != ("/v", "/f"):
        raise SimulatorError(f"reg delete: arguments not known: {words}")
    return _done(process) if view.remove(path, words[1]) else _missing(process)


def _query(process: Process, view: RegistryView, path: str, words: list[str]) -> int:
    key = view.key(path)
    root, _, rest = path.partition("\\")
    name = f"{_LONG[root.upper()]}\\{rest}"
    if key is None:
        return _missing(process)
    if words == ["/s"]:
        _tree(process, name, key)
    elif words == []:
        if key.values:
            _show(process, name, list(key.values.values()))
        say(process, "\n".join(f"{name}\\{child.name}" for child in key.keys.values()))
    elif len(words) == 3 and words[:2] == ["/s", "/v"]:
        return _search(process, name, key, words[2])
    elif len(words) == 2 and words[0] == "/v":
        value = key.values.get(words[1].lower())
        if value is None:
            return _missing(process)
        _show(process, name, [value])
    else:
        raise SimulatorError(f"reg query: arguments not known: {words}")
    return 0


def _tree(process: Process, name: str, key: Key) -> None:
    if key.values:
        _show(process, name, list(key.values.values()))
    for child in key.keys.values():
        _tree(process, f"{name}\\{child.name}", child)


def _search(process: Process, name: str, key: Key, wanted: str) -> int:
    found, todo = 0, [(name, key)]
    while todo:
        path, here = todo.pop(0)
        todo += [(f"{path}\\{child.name}", child) for child in here.keys.values()]
        if value := here.values.get(wanted.lower()):
            _show(process, path, [value])
            found += 1
    say(process, either(process, f"搜索结束: 找到 {found} 匹配。", f"End of search: {found} match(es) found."))
    return 0 if found else 1


def _show(process: Process, name: str, values: list[Value]) -> None:
    say(process, f"\n{name}")
    for value in values:
        data = f"0x{value.data:x}" if isinstance(value.data, int) else value.data
        if isinstance(data, list):
            data = "\\0".join(data)
        text = data.hex().upper() if isinstance(data, bytes) else data
        say(process, f"    {value.name or '(Default)'}    {value.type}    {text}")
    say(process, "")


def _done(process: Process) -> int:
    say(process, either(process, "操作成功完成。", "The operation completed successfully."))
    return 0


def _missing(process: Process) -> int:
    english = "ERROR: The system was unable to find the specified registry key or value."
    complain(process, either(process, "错误: 系统找不到指定的注册表项或值。", english))
    return 1
