"""Runs the PowerShell subset on a simulated machine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.process import Process
from lab.winsim.pwsh import nodes as n
from lab.winsim.pwsh.calls import CallMixin, Flow, Parameter
from lab.winsim.pwsh.evaluation import ExpressionMixin
from lab.winsim.pwsh.parser import Parser
from lab.winsim.pwsh.values import (
    Block,
    ErrorRecord,
    Hashtable,
    PSObject,
    Table,
    Terminating,
    TypeRef,
    display,
    from_python,
    listed,
    number,
    same,
    text_of,
    truth,
)

Emit = Callable[[Any], None]
__all__ = ["Interpreter", "Parameter", "ScriptResult", "run_script"]
MAX_STEPS = 200_000


@dataclass
class ScriptResult:
    """What a script left behind. ``errors`` are the texts for stderr, ``output`` the objects if they were collected."""

    exit_code: int = 0
    errors: list[str] = field(default_factory=list)
    output: list[Any] = field(default_factory=list)
    records: list[ErrorRecord] = field(default_factory=list)
    streams: dict[str, list[str]] = field(default_factory=dict)
    terminated: ErrorRecord | None = None
    exited: bool = False


def run_script(
    process: Process,
    text: str,
    *,
    arguments: Iterable[Any] = (),
    parameters: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    collect: bool = False,
) -> ScriptResult:
    """Run a script in the session of a process.

    Args:
        arguments, parameters: values for the script's param block or ``$args``.
        variables: set before the script begins; Python dictionaries become hashtables.
        collect: keep output objects in the result instead of writing them to stdout.

    Raises:
        SimulatorError: the script uses what the subset does not know; the position is named.
    """
    interpreter = Interpreter(process, text)
    block = Parser(text).parse()
    for name, value in (variables or {}).items():
        interpreter.scopes[0][name] = value if isinstance(value, PSObject) else from_python(value)
    result = ScriptResult(records=interpreter.records, streams=interpreter.streams)
    emit = result.output.append if collect else interpreter.show
    interpreter.collecting = collect
    try:
        interpreter.bind(
            block, [from_python(item) for item in arguments], dict(parameters or {}), interpreter.scopes[0]
        )
        interpreter.run(block.body, emit)
        result.exit_code = 0 if interpreter.ok else 1
    except Flow as flow:
        if flow.kind == "exit":
            result.exited = True
            result.exit_code = int(number(flow.value)) if flow.value is not None else 0
    except Terminating as error:
        result.terminated = error.record
        interpreter.records.append(error.record)
        interpreter.stderr.append(error.record.display())
        result.exit_code = 1
    result.errors = interpreter.stderr
    return result


class Interpreter(CallMixin, ExpressionMixin):
    """The state of one running script."""

    def __init__(self, process: Process, text: str) -> None:
        self.process = process
        self.session = process.session
        self.machine = process.machine
        self.environment = process.environment
        self.text = text
        self.location = process.cwd or process.session.cwd
        self.scopes: list[Table] = [Table()]
        self.functions: Table = Table()
        self.ok = True
        self.records: list[ErrorRecord] = []
        self.stderr: list[str] = []
        self.streams: dict[str, list[str]] = {}
        self.strict = False
        self.collecting = False  # warnings go to the result only, not to stdout
        self._merge: list[Emit | None] = [None]
        self._steps = itertools.count()
        self._guards = 0  # try blocks that are open
        self.scopes[0]["ErrorActionPreference"] = "Continue"
        self.scopes[0]["ProgressPreference"] = "Continue"

    # --- output ------------------------------------------------------------------------------------------------

    def show(self, value: Any) -> None:
        """Write one output object to stdout."""
        self.process.write_stdout(display([value]).encode())

    def fail(self, construct: str, node: n.Node) -> SimulatorError:
        """Return the error that names a construct and its position."""
        return Parser(self.text).fail(construct, node.at)

    def error(self, record: ErrorRecord, action: str = "") -> None:
        """Report a non-terminating error under an ErrorAction.

        Raises:
            Terminating: the action is Stop.
        """
        action = (action or text_of(self.lookup("ErrorActionPreference"))).lower()
        self.ok = False
        if action == "stop":
            raise Terminating(record, script=True)
        if action != "ignore":
            self.records.append(record)
        if action in ("silentlycontinue", "ignore"):
            return
        merge = self._merge[-1]
        if merge is not None:
            merge(record)
        else:
            self.stderr.append(record.display())

    # --- variables ---------------------------------------------------------------------------------------------

    def lookup(self, name: str) -> Any:
        """Return a variable, None if it is not set.

        Raises:
            Terminating: strict mode, and it is not set.
        """
        scope, _, rest = name.rpartition(":")
        if scope.lower() == "env":
            return self.environment.get(rest)
        if scope.lower() in ("script", "global", "local", "private", "variable", "using"):
            name = rest
        elif scope:
            raise SimulatorError(f"PowerShell not understood: variable ${name}")
        lowered = name.lower()
        for table in reversed(self.scopes):
            if name in table:
                return table[name]
        if lowered in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[lowered]
        if lowered == "?":
            return self.ok
        from lab.winsim.pwsh import automatic

        if lowered in automatic.VARIABLES:
            return automatic.VARIABLES[lowered](self)
        if self.strict and lowered not in ("_", "args", "input", "lastexitcode", "matches"):
            message = f"The variable '${name}' cannot be retrieved because it has not been set."
            raise Terminating(ErrorRecord(message, "VariableIsUndefined", "InvalidOperation", name))
        return None

    def has_variable(self, name: str) -> bool:
        """Return whether a variable is set."""
        return any(name in table for table in self.scopes)

    def assign(self, name: str, value: Any) -> None:
        """Set a variable in the current scope, or the one its prefix names."""
        scope, _, rest = name.rpartition(":")
        if scope.lower() == "env":
            if value is None or value == "":
                self.environment.pop(rest, None)
            else:
                self.environment[rest] = text_of(value)
        elif scope.lower() in ("script", "global"):
            self.scopes[0][rest] = value
        elif scope.lower() in ("", "local", "private"):
            self.scopes[-1][rest] = value
        else:
            raise SimulatorError(f"PowerShell not understood: variable ${name}")

    # --- statements --------------------------------------------------------------------------------------------

    def run(self, body: list[n.Node], emit: Emit) -> None:
        """Run statements; their output goes to ``emit``, arrays unrolled."""
        for node in body:
            try:
                self.statement(node, emit)
            except Terminating as error:
                stop = text_of(self.lookup("ErrorActionPreference")).lower() == "stop"
                if error.script or stop or self._guards:
                    raise
                self.error(error.record)

    def statement(self, node: n.Node, emit: Emit) -> None:
        """Run one statement."""
        if next(self._steps) > MAX_STEPS:
            raise self.fail("a script that does not end", node)
        if self.process.cancelled.is_set():
            raise Flow("exit", 1)
        method = getattr(self, "_do_" + type(node).__name__.lower(), None)
        if method is not None:
            method(node, emit)
            return
        value = self.value(node)
        if not (isinstance(node, n.Unary) and node.operator in ("++", "--", "post++", "post--")):
            for item in listed(value) if isinstance(value, (list, tuple)) else [value]:
                if item is not None:
                    emit(item)
        self.ok = True

    def collect(self, node: n.Node) -> Any:
        """Run a statement and return its output: nothing, one object or a list."""
        if not hasattr(self, "_do_" + type(node).__name__.lower()):
            return self.value(node)
        output: list[Any] = []
        self.statement(node, output.append)
        return None if not output else output[0] if len(output) == 1 else output

    def _do_assign(self, node: n.Assign, emit: Emit) -> None:
        value = self.collect(node.value)
        if isinstance(value, list):
            value = list(value)
        if node.operator != "=":
            value = self.binary(node.operator[:-1], self.value(node.target), value, node)
        self._store(node.target, value)
        self.ok = True

    def _store(self, target: n.Node, value: Any) -> None:
        if isinstance(target, n.Variable):
            self.assign(target.name, value)
        elif isinstance(target, n.Cast):
            from lab.winsim.pwsh import dotnet

            self._store(target.operand, dotnet.cast(self, target.type, value, target))
        elif isinstance(target, n.ArrayLiteral):
            values = listed(value)
            for index, item in enumerate(target.items):
                last = index == len(target.items) - 1
                rest = values[index:]
                part = (rest if len(rest) > 1 else (rest[0] if rest else None)) if last else (rest[0] if rest else None)
                self._store(item, part)
        elif isinstance(target, n.Index):
            container, index = self.value(target.target), self.value(target.index)
            if isinstance(container, list):
                container[int(number(index))] = value
            elif isinstance(container, Table):
                container[index] = value
            else:
                raise self.fail("an assignment to an index of this object", target)
        elif isinstance(target, n.Member):
            self._store_member(target, value)
        else:
            raise self.fail("this assignment", target)

    def _store_member(self, target: n.Member, value: Any) -> None:
        from lab.winsim.pwsh import dotnet

        owner, name = self.value(target.target), text_of(self.value(target.name))
        if isinstance(owner, TypeRef):
            dotnet.set_static(self, owner, name, value, target)
        elif isinstance(owner, Hashtable):
            owner[name] = value
        elif isinstance(owner, PSObject) and owner.setter is not None:
            owner.setter(name, value)
        elif isinstance(owner, PSObject) and (name in owner.properties or owner.type_name == "PSCustomObject"):
            if name not in owner.properties:
                message = f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set."
                raise Terminating(ErrorRecord(message, "PropertyNotFound", "InvalidOperation"))
            owner.properties[name] = value
        else:
            raise self.fail(f"an assignment to the member {name!r}", target)

    def _do_if(self, node: n.If, emit: Emit) -> None:
        for test, body in node.branches:
            if truth(self.collect(test)):
                return self.run(body, emit)
        return self.run(node.otherwise, emit)

    def _loop(self, body: list[n.Node], emit: Emit) -> bool:
        try:
            self.run(body, emit)
        except Flow as flow:
            if flow.kind == "break":
                return False
            if flow.kind != "continue":
                raise
        return True

    def _do_foreach(self, node: n.Foreach, emit: Emit) -> None:
        for item in listed(self.collect(node.items)):
            self.assign(node.variable, item)
            if not self._loop(node.body, emit):
                return

    def _do_for(self, node: n.For, emit: Emit) -> None:
        if node.start is not None:
            self.statement(node.start, lambda value: None)
        while node.test is None or truth(self.collect(node.test)):
            if not self._loop(node.body, emit):
                return
            if node.step is not None:
                self.statement(node.step, lambda value: None)

    def _do_while(self, node: n.While, emit: Emit) -> None:
        first = node.first
        while first or truth(self.collect(node.test)) != node.until:
            first = False
            if next(self._steps) > MAX_STEPS:
                raise self.fail("a loop that does not end", node)
            if not self._loop(node.body, emit):
                return

    def _do_try(self, node: n.Try, emit: Emit) -> None:
        depth = len(self.scopes)
        try:
            self._guards += 1
            try:
                self.run(node.body, emit)
            finally:
                self._guards -= 1
        except Terminating as error:
            del self.scopes[depth:]
            body = next((body for types, body in node.catches if self._catches(types, error.record)), None)
            if body is None:
                raise
            self.records.append(error.record)
            before = self.scopes[-1].get("_")
            self.scopes[-1]["_"] = error.record
            try:
                self.run(body, emit)
            finally:
                self.scopes[-1]["_"] = before
        finally:
            self.run(node.final, emit)

    @staticmethod
    def _catches(types: list[str], record: ErrorRecord) -> bool:
        if not types:
            return True
        names = [name.lower().removeprefix("system.") for name in types]
        if {"exception", "management.automation.runtimeexception"} & set(names):
            return True
        return any(name.rsplit(".", 1)[-1] in record.error_id.lower() for name in names)

    def _do_switch(self, node: n.Switch, emit: Emit) -> None:
        for subject in listed(self.collect(node.subject)):
            matched = False
            for test, body in node.cases:
                if test is None:
                    continue
                if isinstance(test, n.ScriptBlock):
                    hit = truth(self.invoke(Block(test), [], {}, [subject], subject=subject))
                else:
                    hit = same(subject, self.value(test))
                if hit:
                    matched = True
                    if not self._loop(body, emit):
                        return
            default = next((body for test, body in node.cases if test is None), None)
            if not matched and default is not None:
                self._loop(default, emit)

    def _do_function(self, node: n.Function, emit: Emit) -> None:
        self.functions[node.name.rsplit(":", 1)[-1]] = Block(node.block)

    def _do_flow(self, node: n.Flow, emit: Emit) -> None:
        if node.kind == "return":
            if node.value is not None:
                self.statement(node.value, emit)
            raise Flow("return")
        value = self.collect(node.value) if node.value is not None else None
        if node.kind == "throw":
            if isinstance(value, ErrorRecord):
                raise Terminating(value, script=True)
            if value is None and isinstance(self.lookup("_"), ErrorRecord):
                raise Terminating(self.lookup("_"), script=True)
            message = text_of(value) if value is not None else "ScriptHalted"
            raise Terminating(ErrorRecord(message, message, "OperationStopped", message), script=True)
        raise Flow(node.kind, value)
