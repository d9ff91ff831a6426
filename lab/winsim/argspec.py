"""Argument rules of PowerShell modules, taken from the module's own source and applied as the real ones are.

Two kinds: ``Ansible.Basic`` modules carry a ``$spec`` hashtable, legacy ones call ``Get-AnsibleParam``. The messages
are those of ansible-core's Ansible.Basic.cs and Ansible.ModuleUtils.Legacy.psm1.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.process import CaseInsensitiveDict
from lab.winsim.psliteral import DYNAMIC, LiteralReader, literal_variables
from lab.winsim.transfer import expand_variables

TRUE = ("y", "yes", "on", "1", "true", "t", "1.0")
FALSE = ("n", "no", "off", "0", "false", "f", "0.0")
CENSORED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

WEB_REQUEST: dict[str, dict[str, Any]] = {
    "url_method": {"type": "str"},
    "follow_redirects": {"type": "str", "choices": ["all", "none", "safe"], "default": "safe"},
    "headers": {"type": "dict"},
    "http_agent": {"type": "str", "default": "ansible-httpget"},
    "maximum_redirection": {"type": "int", "default": 50},
    "url_timeout": {"type": "int", "default": 30},
    "validate_certs": {"type": "bool", "default": True},
    "client_cert": {"type": "str"},
    "client_cert_password": {"type": "str", "no_log": True},
    "force_basic_auth": {"type": "bool", "default": False},
    "url_username": {"type": "str"},
    "url_password": {"type": "str", "no_log": True},
    "use_default_credential": {"type": "bool", "default": False},
    "use_proxy": {"type": "bool", "default": True},
    "proxy_url": {"type": "str"},
    "proxy_username": {"type": "str"},
    "proxy_password": {"type": "str", "no_log": True},
    "proxy_use_default_credential": {"type": "bool", "default": False},
}
# What a module computes instead of writing it down: (module, option) -> the documented rules.
COMPUTED: dict[tuple[str, str], dict[str, Any]] = {
    ("ansible.windows.win_package", "provider"): {"choices": ["auto", "msi", "msix", "msp", "registry"]}
}


class ArgumentError(Exception):
    """The module refuses its arguments; ``public_msg`` is the text without the values given."""

    def __init__(self, msg: str) -> None:
        super().__init__(msg)
        self.public_msg = re.split(r"Got no match for|The value '", msg)[0]


class Skipped(Exception):
    """The module does not support check mode and is skipped in it."""


@dataclass
class Spec:
    """The rules of one module."""

    options: dict[str, dict[str, Any]]
    rules: dict[str, Any] = field(default_factory=dict)
    supports_check_mode: bool = False
    legacy: bool = False


@dataclass
class Checked:
    """The outcome of a check: typed arguments, modes, and what the result must carry."""

    args: dict[str, Any]
    check_mode: bool = False
    diff: bool = False
    invocation: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    deprecations: list[dict[str, Any]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def censor(self, value: Any) -> Any:
        """Return a result in which every no_log value is replaced."""
        if not self.secrets:
            return value
        return _censor(value, sorted(self.secrets, key=len, reverse=True))


def _censor(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _censor(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_censor(item, secrets) for item in value]
    if isinstance(value, str):
        if value in secrets:
            return CENSORED
        for secret in secrets:
            value = value.replace(secret, "********")
    return value


@functools.lru_cache(maxsize=256)
def extract(name: str, script: str) -> Spec:
    """Take the rules out of a module's source.

    Raises:
        SimulatorError: the source has rules in no form that can be read.
    """
    create = re.search(r"AnsibleModule\]::Create\(\s*\$\w+\s*,\s*(?P<spec>\$\w+|@\{)(?P<rest>[^\n]*)", script)
    if create:
        return _extract_basic(name, script, create)
    if "Parse-Args" in script:
        return _extract_legacy(name, script)
    if "Ansible.Basic" not in script and "complex_args" not in script:
        return Spec({}, legacy=True)
    raise SimulatorError(f"the argument rules of module {name} can not be read from its source")


def _extract_basic(name: str, script: str, create: re.Match[str]) -> Spec:
    if create["spec"] == "@{":
        table = LiteralReader(script, create.start("spec")).read_hashtable()
    else:
        variable = re.escape(create["spec"])
        begins = [item for item in re.finditer(variable + r"\s*=\s*@\{", script) if item.start() < create.start()]
        if not begins:
            raise SimulatorError(f"the argument rules of module {name} are not a literal")
        variables = literal_variables(script, begins[-1].start())
        table = LiteralReader(script, begins[-1].end() - 2, variables).read_hashtable()
    options = {option: dict(rules) for option, rules in (table.get("options") or {}).items() if isinstance(rules, dict)}
    if "Get-AnsibleWindowsWebRequestSpec" in create["rest"]:
        for option, rules in WEB_REQUEST.items():
            options[option] = {**rules, **options.get(option, {})}
    for (module, option), rules in COMPUTED.items():
        if module == name and option in options:
            options[option].update(rules)
    rules = {key: value for key, value in table.items() if key not in ("options", "supports_check_mode")}
    _normalise(options)
    return Spec(options, rules, table.get("supports_check_mode") is True)


def _normalise(options: dict[str, dict[str, Any]]) -> None:
    for rules in options.values():
        for key in ("choices", "aliases", "deprecated_aliases"):
            value = rules.get(key)
            if value is DYNAMIC or (isinstance(value, list) and DYNAMIC in value):
                rules.pop(key)
            elif key in rules and not isinstance(value, list):
                rules[key] = [value]
        if rules.get("default") is DYNAMIC:
            rules["dynamic_default"] = True
            rules.pop("default")
        if isinstance(rules.get("options"), dict):
            rules["options"] = {key: dict(value) for key, value in rules["options"].items() if isinstance(value, dict)}
            _normalise(rules["options"])


_LEGACY_POSITIONS = (
    "obj", "name", "default", "resultobj", "failifempty", "emptyattributefailmessage", "validateset",
    "validateseterrormessage", "type", "aliases",
)  # fmt: skip


def _extract_legacy(name: str, script: str) -> Spec:
    options: dict[str, dict[str, Any]] = {}
    variables = literal_variables(script, len(script))
    for match in re.finditer(r"^[^#\n]*?\b(?:Get-AnsibleParam|Get-Attr)\b", script, re.MULTILINE | re.IGNORECASE):
        found = _legacy_call(script, match.end(), variables)
        option = found.get("name")
        if not isinstance(option, str) or option in options:
            continue
        rules: dict[str, Any] = {"type": found.get("type") if isinstance(found.get("type"), str) else "raw"}
        default = found.get("default")
        if default is not None and default is not DYNAMIC:
            rules["default"] = default
        required = found.get("failifempty")
        rules["required"] = required is True or (required is DYNAMIC and found.get("failifempty_plain", False))
        for key, target in (("validateset", "choices"), ("aliases", "aliases")):
            value = found.get(key)
            if value is not None and value is not DYNAMIC:
                rules[target] = value if isinstance(value, list) else [value]
        if isinstance(found.get("emptyattributefailmessage"), str):
            rules["missing_message"] = found["emptyattributefailmessage"]
        options[option] = rules
    supports = re.search(r"Parse-Args\b[^\n]*-supports_check_mode\s*:?\s*\$true", script, re.IGNORECASE) is not None
    return Spec(options, {}, supports, legacy=True)


def _legacy_call(script: str, position: int, variables: dict[str, Any]) -> dict[str, Any]:
    reader = LiteralReader(script, position, variables)
    found: dict[str, Any] = {}
    free = list(_LEGACY_POSITIONS)
    while True:
        reader.skip_space(False)
        rest = script[reader.position :]
        if not rest or rest[0] in "\r\n;#|)}":
            return found
        switch = re.match(r"-([A-Za-z]\w*):?", rest)
        if switch:
            key = switch[1].lower()
            key = next((full for full in _LEGACY_POSITIONS if full == key), key)
            reader.position += switch.end()
            reader.skip_space(False)
            start = reader.position
            found[key] = reader.read_value()
            if key == "failifempty":
                found["failifempty_plain"] = bool(re.fullmatch(r"\$\w+", script[start : reader.position].strip()))
            if key in free:
                free.remove(key)
        elif free:
            found[free.pop(0)] = reader.read_value()
        else:
            return found


def check(name: str, script: str, raw: dict[str, Any], environment: CaseInsensitiveDict) -> Checked:
    """Check the arguments of a module call.

    Raises:
        ArgumentError: the real module would refuse them.
        Skipped: check mode, and the module does not support it.
        SimulatorError: the rules can not be read.
    """
    spec = extract(name, script)
    internal = {key[len("_ansible_") :]: value for key, value in raw.items() if key.startswith("_ansible_")}
    params = {key: value for key, value in raw.items() if not key.startswith("_ansible_")}
    checked = Checked(params, check_mode=bool(internal.get("check_mode")), diff=bool(internal.get("diff")))
    if spec.legacy:
        if checked.check_mode and not spec.supports_check_mode and spec.options:
            raise Skipped("remote module does not support check mode")
        checked.args = _check_legacy(spec, params, environment)
        return checked
    checker = _Checker(str(internal.get("module_name") or name), environment, checked)
    if checked.check_mode and not spec.supports_check_mode:
        checker.unsupported(spec.options, params, checker.aliases(spec.options, params))
        raise Skipped(f"remote module ({checker.name}) does not support check mode")
    checker.check({"options": spec.options, **spec.rules}, params)
    checked.args = params
    if internal.get("inject_invocation", True):  # since ansible-core 2.21 only on demand
        checked.invocation = checked.censor(dict(params))
    return checked


class _Checker:
    """Ansible.Basic's CheckArguments."""

    def __init__(self, name: str, environment: CaseInsensitiveDict, checked: Checked) -> None:
        self.name = name
        self.environment = environment
        self.checked = checked
        self.context: list[str] = []

    def fail(self, msg: str) -> None:
        """Refuse, with the path of the sub-option if there is one."""
        raise ArgumentError(msg + (f" found in {' -> '.join(self.context)}" if self.context else ""))

    def aliases(self, options: dict[str, Any], params: dict[str, Any]) -> dict[str, str]:
        """Copy aliases to their options; return alias -> option."""
        found: dict[str, str] = {}
        given = {key.lower(): key for key in params}
        for option, rules in options.items():
            for alias in rules.get("aliases") or []:
                found[alias] = option
                if alias.lower() in given:
                    params[option] = params[given[alias.lower()]]
            for entry in rules.get("deprecated_aliases") or []:
                if isinstance(entry, dict) and entry.get("name") in params:
                    text = f"Alias '{entry['name']}' is deprecated. See the module docs for more information"
                    more = {
                        key: entry[key] for key in ("version", "collection_name") if isinstance(entry.get(key), str)
                    }
                    self.checked.deprecations.append({"msg": text, **more})
        return found

    def unsupported(self, options: dict[str, Any], params: dict[str, Any], aliases: dict[str, str]) -> None:
        """Refuse unknown options; options match without case."""
        legal = [*options, *aliases]
        spelled = {item.lower(): item for item in legal}
        unknown = [key for key in params if key.lower() not in spelled]
        if unknown:
            msg = f"Unsupported parameters for ({self.name}) module: {', '.join(unknown)}"
            msg += f" found in {' -> '.join(self.context)}" if self.context else ""
            raise ArgumentError(f"{msg}. Supported parameters include: {', '.join(legal)}")
        for key in list(params):
            if key not in legal:
                params[spelled[key.lower()]] = params.pop(key)

    def check(self, spec: dict[str, Any], params: dict[str, Any]) -> None:
        """Check and convert ``params`` in place."""
        options = spec["options"]
        aliases = self.aliases(options, params)
        for option, rules in options.items():
            if rules.get("no_log") is True and params.get(option) not in (None, ""):
                self.checked.secrets.add(str(params[option]))
            if rules.get("removed_in_version") and option in params:
                text = f"Param '{option}' is deprecated. See the module docs for more information"
                self.checked.deprecations.append({"msg": text, "version": str(rules["removed_in_version"])})
        self.unsupported(options, params, aliases)
        for group in _groups(spec.get("mutually_exclusive")):
            if sum(item in params for item in group) > 1:
                self.fail(f"parameters are mutually exclusive: {', '.join(group)}")
        self._required(options, params)
        for option, rules in options.items():
            if params.get(option) is not None:
                params[option] = self._convert(option, rules, params[option])
                self._choices(option, rules, params[option])
        self._relations(spec, params)
        for option, rules in options.items():
            params.setdefault(option, None)
            params[option] = self._sub_option(option, rules, params[option])

    def _required(self, options: dict[str, Any], params: dict[str, Any]) -> None:
        missing = []
        for option, rules in options.items():
            if rules.get("default") is not None and option not in params:
                params[option] = rules["default"]
            if rules.get("required") is True and option not in params:
                missing.append(option)
        if missing:
            self.fail(f"missing required arguments: {', '.join(missing)}")

    def _convert(self, option: str, rules: dict[str, Any], value: Any) -> Any:
        kind = rules.get("type", "str")
        if kind is DYNAMIC:
            return value
        try:
            return convert(kind, value, self.environment)
        except ValueError as error:
            self.fail(
                f"argument for {option} is of type {dotnet_type(value)} and we were unable to convert to {kind}: {error}"
            )

    def _choices(self, option: str, rules: dict[str, Any], value: Any) -> None:
        choices = [text_of(item) for item in rules.get("choices") or []]
        if not choices:
            return
        values = [text_of(item) for item in value] if rules.get("type") == "list" else [text_of(value)]
        lowered = [item.lower() for item in choices]
        wrong = list(dict.fromkeys(item for item in values if item.lower() not in lowered))
        if wrong:
            kind = "one or more of" if rules.get("type") == "list" else "one of"
            self.fail(f"value of {option} must be {kind}: {', '.join(choices)}. Got no match for: {', '.join(wrong)}")

    def _relations(self, spec: dict[str, Any], params: dict[str, Any]) -> None:
        for group in _groups(spec.get("required_together")):
            if len({item in params for item in group}) == 2:
                self.fail(f"parameters are required together: {', '.join(group)}")
        for group in _groups(spec.get("required_one_of")):
            if not any(item in params for item in group):
                self.fail(f"one of the following is required: {', '.join(group)}")
        for rule in _groups(spec.get("required_if")):
            key, wanted, needed = rule[:3]
            needed = needed if isinstance(needed, list) else [needed]
            if params.get(key) is None or text_of(params[key]) != text_of(wanted):
                continue
            any_of = len(rule) > 3 and rule[3] is True
            missing = [item for item in needed if item not in params]
            if len(missing) >= (len(needed) if any_of else 1):
                term = "any" if any_of else "all"
                self.fail(f"{key} is {text_of(wanted)} but {term} of the following are missing: {', '.join(missing)}")
        for key, needed in (spec.get("required_by") or {}).items():
            if key in params:
                missing = [item for item in (needed if isinstance(needed, list) else [needed]) if item not in params]
                if missing:
                    self.fail(f"missing parameter(s) required by '{key}': {', '.join(missing)}")

    def _sub_option(self, option: str, rules: dict[str, Any], value: Any) -> Any:
        kind, elements = rules.get("type", "str"), rules.get("elements")
        if kind == "list" and elements is not None:
            if value is None or elements is DYNAMIC:
                return value
            if elements == "dict":
                return [self._sub_spec(option, rules, item) for item in value]
            result = []
            for item in value:
                try:
                    result.append(convert(elements, item, self.environment))
                except ValueError as error:
                    self.fail(
                        f"argument for list entry {option} is of type {dotnet_type(item)} and we were unable to "
                        f"convert to {elements}: {error}"
                    )
            return result
        return self._sub_spec(option, rules, value) if kind == "dict" else value

    def _sub_spec(self, option: str, rules: dict[str, Any], value: Any) -> Any:
        options = rules.get("options") or {}
        if value is None and options and rules.get("apply_defaults") is True:
            value = {}
        elif not options or value is None:
            return value
        self.context.append(option)
        try:
            value = dict(convert("dict", value, self.environment))
        except ValueError as error:
            self.fail(str(error))
        self.check(rules, value)
        self.context.pop()
        return value


def _groups(value: Any) -> list[list[Any]]:
    if not value or value is DYNAMIC:
        return []
    return value if isinstance(value[0], list) else [value]


def _check_legacy(spec: Spec, params: dict[str, Any], environment: CaseInsensitiveDict) -> dict[str, Any]:
    """Get-AnsibleParam for every option in turn; unknown options are ignored, as in life."""
    given = {key.lower(): key for key in params}
    result: dict[str, Any] = {}
    for option, rules in spec.options.items():
        if option.startswith("_ansible_"):
            continue
        names = [option, *rules.get("aliases", [])]
        key = next((given[item.lower()] for item in names if item.lower() in given), None)
        if key is None:
            if rules["required"]:
                raise ArgumentError(
                    rules.get("missing_message") or f"Get-AnsibleParam: Missing required argument: {option}"
                )
            value = rules.get("default")
        else:
            value = params[key]
            choices = rules.get("choices")
            if choices and text_of(value).lower() not in [text_of(item).lower() for item in choices]:
                listed = ",".join(text_of(item) for item in choices)
                raise ArgumentError(
                    f"Get-AnsibleParam: Argument {key} needs to be one of {listed} but was {text_of(value)}."
                )
        result[option] = _legacy_convert(option, rules["type"], value, environment)
    return result


def _legacy_convert(option: str, kind: str, value: Any, environment: CaseInsensitiveDict) -> Any:
    if value is None:
        return None
    if kind == "path":
        return expand_variables(text_of(value), environment)
    if kind == "str":
        return text_of(value)
    if kind == "bool":
        return text_of(value).lower() in ("yes", "on", "1", "true")
    if kind in ("int", "float"):
        try:
            return int(value) if kind == "int" else float(value)
        except (TypeError, ValueError):
            return None
    if kind == "list":
        if isinstance(value, list):
            return value
        if isinstance(value, str):
            return [item.strip() for item in value.split(",")]
        if isinstance(value, int):
            return [value]
        raise ArgumentError(f"Get-AnsibleParam: Parameter '{option}' is not a YAML list.")
    return value


def text_of(value: Any) -> str:
    """Return .NET's ToString of a JSON value."""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, dict):
        return "System.Collections.Hashtable"
    if isinstance(value, list):
        return "System.Object[]"
    return str(value)


def dotnet_type(value: Any) -> str:
    """Return the .NET type name of a JSON value."""
    names = {bool: "System.Boolean", int: "System.Int32", float: "System.Double", str: "System.String"}
    names |= {dict: "System.Collections.Hashtable", list: "System.Object[]"}
    return names.get(type(value), "System.Object")


def convert(kind: str, value: Any, environment: CaseInsensitiveDict) -> Any:
    """Convert a value as Ansible.Basic does.

    Raises:
        ValueError: it can not be converted; the text is the end of the real message.
    """
    if kind in ("raw", "delegate"):
        return value
    if kind in ("str", "sid"):
        return text_of(value)
    if kind == "path":
        return text_of(value) if text_of(value).startswith("\\\\?\\") else expand_variables(text_of(value), environment)
    if kind == "bool":
        return _to_bool(value)
    if kind in ("int", "float"):
        return _to_number(kind, value)
    if kind == "list":
        if isinstance(value, list):
            return value
        if isinstance(value, str):
            return [item.strip() for item in value.split(",")]
        if isinstance(value, int) and not isinstance(value, bool):
            return [value]
        raise ValueError(f"{dotnet_type(value)} cannot be converted to a list")
    if kind == "json":
        if isinstance(value, dict):
            return json.dumps(value, separators=(",", ":"))
        if isinstance(value, str):
            return value
        raise ValueError(f"{dotnet_type(value)} cannot be converted to json")
    if kind == "dict":
        return _to_dict(value)
    raise SimulatorError(f"argument type {kind!r} is not known")


def _to_bool(value: Any) -> bool:
    text = text_of(value).lower().strip()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(f"The value '{text}' is not a valid boolean. Valid booleans include: {', '.join([*TRUE, *FALSE])}")


def _to_number(kind: str, value: Any) -> int | float:
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(text_of(value)) if kind == "int" else float(text_of(value))
    except ValueError:
        raise ValueError("Input string was not in a correct format.") from None


def _to_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{dotnet_type(value)} cannot be converted to a dict")
    if value.startswith("{") and value.endswith("}"):
        return json.loads(value)
    if "=" not in value:
        raise ValueError("string cannot be converted to a dict, must either be a JSON string or in the key=value form")
    fields = re.findall(r"(?:[^\s,\"'\\]|\\.|\"[^\"]*\"|'[^']*')+", value)
    pairs = [re.sub(r"\\(.)|[\"']", lambda item: item[1] or "", item).partition("=") for item in dict.fromkeys(fields)]
    return {key: text if equals else None for key, equals, text in pairs}
