"""Runs the PowerShell subset on a simulated machine."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from winsim.pwsh import nodes as n
from winsim.pwsh.parser import Parser
from winsim.pwsh.values import (
    Block,
    ErrorRecord,
    Hashtable,
    PSObject,
    Table,
    Terminating,
    TypeRef,
    compare,
    display,
    from_python,
    listed,
    number,
    same,
    text_of,
    truth,
    wildcard,
)
from winsim.runtime import InputStream, Process, SimulatorError, join_command_line, run_process

Emit = Callable[[Any], None]
MAX_STEPS = 1_000_000


class _Flow(Exception):
    """return, break, continue and exit travel up as exceptions."""

    def __init__(self, kind: str, value: Any = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.value = value


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
    try:
        interpreter.bind(block, [from_python(item) for item in arguments], dict(parameters or {}), interpreter.scopes[0])
        interpreter.run(block.body, emit)
        result.exit_code = 0 if interpreter.ok else 1
    except _Flow as flow:
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


class Interpreter:
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
        self._merge: list[Emit | None] = [None]
        self._steps = itertools.count()
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
            raise Terminating(record)
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
        from winsim.pwsh import automatic

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
            self.statement(node, emit)

    def statement(self, node: n.Node, emit: Emit) -> None:
        """Run one statement."""
        if next(self._steps) > MAX_STEPS:
            raise self.fail("a script that does not end", node)
        if self.process.cancelled.is_set():
            raise _Flow("exit", 1)
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
            from winsim.pwsh import dotnet

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
        from winsim.pwsh import dotnet

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
        except _Flow as flow:
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
            self.run(node.body, emit)
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
            raise _Flow("return")
        value = self.collect(node.value) if node.value is not None else None
        if node.kind == "throw":
            if isinstance(value, ErrorRecord):
                raise Terminating(value)
            if value is None and isinstance(self.lookup("_"), ErrorRecord):
                raise Terminating(self.lookup("_"))
            message = text_of(value) if value is not None else "ScriptHalted"
            raise Terminating(ErrorRecord(message, message, "OperationStopped", message))
        raise _Flow(node.kind, value)

    # --- pipelines and commands --------------------------------------------------------------------------------

    def _do_pipeline(self, node: n.Pipeline, emit: Emit) -> None:
        objects: list[Any] = []
        for index, element in enumerate(node.elements):
            output: list[Any] = []
            sink = emit if index == len(node.elements) - 1 else output.append
            if isinstance(element, n.Command):
                self.command(element, sink, None if index == 0 else objects)
            elif index == 0:
                self.statement(element, sink)
            else:
                raise self.fail("an expression inside a pipeline", element)
            objects = output

    def _do_command(self, node: n.Command, emit: Emit) -> None:
        self.command(node, emit, None)

    def _do_redirected(self, node: n.Redirected, emit: Emit) -> None:
        self._redirected(node.redirects, emit, lambda sink: self.statement(node.inner, sink))

    def command(self, node: n.Command, emit: Emit, objects: list[Any] | None) -> None:
        """Run one command of a pipeline; ``objects`` is its input."""
        self._redirected(node.redirects, emit, lambda sink: self._command(node, sink, objects))

    def _redirected(self, redirects: list[n.Redirect], emit: Emit, work: Callable[[Emit], None]) -> None:
        merge, sink, target = self._merge[-1], emit, None
        collected: list[Any] = []
        for redirect in redirects:
            if redirect.target is None:
                if redirect.stream not in ("2", "*"):
                    raise self.fail(f"redirection of stream {redirect.stream}", redirect)
                merge = sink
                continue
            name = text_of(self.value(redirect.target))
            if redirect.stream in ("1", "*"):
                sink = collected.append
                target = (name, redirect.append)
            if redirect.stream in ("2", "*"):
                if name and redirect.stream == "2":
                    raise self.fail("redirection of errors to a file", redirect)
                merge = lambda record: None  # noqa: E731
        self._merge.append(merge)
        try:
            work(sink)
        finally:
            self._merge.pop()
        if target is not None and target[0]:
            from winsim.pwsh import cmdlets

            text = "\ufeff" + display(collected)
            cmdlets.write_file(self, target[0], text.encode("utf-16-le"), append=target[1])

    def _command(self, node: n.Command, emit: Emit, objects: list[Any] | None) -> None:
        from winsim.pwsh import cmdlets

        name = self.value(node.name)
        if isinstance(name, Block):
            positional, named = self._arguments(node)
            self._invoke_into(name, positional, named, objects, emit, new_scope=node.operator != ".")
            return
        name = text_of(name)
        resolved = cmdlets.ALIASES.get(name.lower(), name)
        if resolved in self.functions:
            positional, named = self._arguments(node)
            self._invoke_into(self.functions[resolved], positional, named, objects, emit)
            return
        cmdlet = cmdlets.CMDLETS.get(resolved.lower())
        if cmdlet is not None:
            positional, named = self._arguments(node)
            bound = cmdlet.bind(self, node, positional, named)
            invocation = cmdlets.Invocation(self, node, cmdlet.name, bound, objects, emit)
            self.ok = True
            cmdlet.work(invocation)
            return
        if re.fullmatch(r"[A-Za-z]+-[A-Za-z]\w+", resolved):
            raise self.fail(f"cmdlet {resolved}", node)
        if resolved.lower().endswith(".ps1"):
            positional, named = self._arguments(node)
            self._script_file(resolved, positional, named, emit)
            return
        self.native(node, resolved, emit, objects)

    def _script_file(self, path: str, positional: list[Any], named: dict[str, Any], emit: Emit) -> None:
        from winsim.pwsh import cmdlets

        text = self.machine.files.read_bytes(cmdlets.file_path(self, path)).decode("utf-8-sig")
        block, outer = Block(Parser(text).parse()), self.text
        self.text = text
        try:
            self._invoke_into(block, positional, named, None, emit)
        except _Flow as flow:
            if flow.kind != "exit":
                raise
            self.assign("script:LASTEXITCODE", flow.value or 0)
        finally:
            self.text = outer

    def _arguments(self, node: n.Command) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments in order: values, and marks for parameters (a later bind pairs them)."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for argument in node.arguments:
            if argument.parameter is not None and argument.value is None:
                positional.append(Parameter(argument.parameter))
            elif argument.parameter is not None:
                named[argument.parameter] = self.value(argument.value)
            elif isinstance(argument.value, n.Variable) and argument.value.splat:
                splat = self.lookup(argument.value.name)
                if isinstance(splat, Table):
                    named.update({text_of(key): value for key, value in splat.items()})
                else:
                    positional += listed(splat)
            else:
                positional.append(self.value(argument.value))
        return positional, named

    def bind(self, block: n.ScriptBlock, positional: list[Any], named: dict[str, Any], scope: Table) -> None:
        """Set the parameters of a script block in a scope."""
        values, given = list(positional), {key.lower(): value for key, value in named.items()}
        names = [name.lower() for name, _ in block.parameters]
        rest: list[Any] = []
        while values:
            value = values.pop(0)
            if isinstance(value, Parameter):
                matches = [name for name in names if name.startswith(value.name.lower())]
                if len(matches) != 1:
                    raise self.fail(f"parameter -{value.name}", block)
                given[matches[0]] = values.pop(0) if values and not isinstance(values[0], Parameter) else True
            else:
                rest.append(value)
        unknown = [name for name in given if name not in names]
        if unknown:
            raise self.fail(f"parameter -{unknown[0]}", block)
        for name, default in block.parameters:
            if name.lower() in given:
                scope[name] = given[name.lower()]
            elif rest:
                scope[name] = rest.pop(0)
            else:
                scope[name] = self.value(default) if default is not None else None
        scope["args"] = rest

    def _invoke_into(
        self,
        block: Block,
        positional: list[Any],
        named: dict[str, Any],
        objects: list[Any] | None,
        emit: Emit,
        new_scope: bool = True,
        subject: Any = None,
    ) -> None:
        if len(self.scopes) > 200:
            raise self.fail("calls nested this deep", block.node)
        scope = Table() if new_scope else self.scopes[-1]
        if new_scope:
            self.scopes.append(scope)
        if subject is not None:
            scope["_"] = subject
        try:
            if block.node.parameters or positional or named or new_scope:
                self.bind(block.node, positional, named, scope)
            if objects is not None:
                scope["input"] = objects
            self.run(block.node.body, emit)
        except _Flow as flow:
            if flow.kind != "return":
                raise
        finally:
            if new_scope:
                self.scopes.pop()

    def invoke(
        self,
        block: Block,
        positional: list[Any],
        named: dict[str, Any],
        objects: list[Any] | None = None,
        subject: Any = None,
        new_scope: bool = True,
    ) -> Any:
        """Run a script block and return its output."""
        output: list[Any] = []
        self._invoke_into(block, positional, named, objects, output.append, new_scope, subject)
        return None if not output else output[0] if len(output) == 1 else output

    def native(self, node: n.Command, name: str, emit: Emit, objects: list[Any] | None) -> None:
        """Run a program; its lines are strings unless they go straight to stdout."""
        argv = [name]
        for argument in node.arguments:
            if argument.parameter is not None:
                argv.append(argument.raw)
                continue
            value = self.value(argument.value)
            argv += [text_of(item) for item in value] if isinstance(value, list) else [text_of(value)]
        direct, merge = emit == self.show, self._merge[-1]
        stdout, stderr = bytearray(), bytearray()
        stdin = self.process.stdin if objects is None else InputStream(display(objects).encode())
        child = Process(
            session=self.session,
            argv=argv,
            command_line=join_command_line(argv),
            environment=self.environment.copy(),
            stdin=stdin,
            write_stdout=self.process.write_stdout if direct else stdout.extend,
            write_stderr=self.process.write_stderr if merge is None else stderr.extend,
            cancelled=self.process.cancelled,
            cwd=self.location,
            announce=self.process.announce,
        )
        try:
            code = run_process(child)
        except FileNotFoundError:
            message = (
                f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable "
                "program. Check the spelling of the name, or if a path was included, verify that the path is correct "
                "and try again."
            )
            record = ErrorRecord(message, "CommandNotFoundException", "ObjectNotFound", name, name)
            raise Terminating(record) from None
        code = code & 0xFFFFFFFF
        code = code - 2**32 if code >= 2**31 else code
        self.scopes[0]["LASTEXITCODE"] = code
        self.ok = code == 0
        for line in _lines(bytes(stdout)):
            emit(line)
        if merge is not None:
            for line in _lines(bytes(stderr)):
                merge(ErrorRecord(line, "NativeCommandError", "NotSpecified", line, name))

    # --- expressions -------------------------------------------------------------------------------------------

    def value(self, node: n.Node) -> Any:
        """Return the value of an expression."""
        method = getattr(self, "_value_" + type(node).__name__.lower(), None)
        if method is None:
            return self.collect(node)
        return method(node)

    def _value_literal(self, node: n.Literal) -> Any:
        return node.value

    def _value_expandable(self, node: n.Expandable) -> str:
        return "".join(part if isinstance(part, str) else text_of(self.value(part)) for part in node.parts)

    def _value_variable(self, node: n.Variable) -> Any:
        return self.lookup(node.name)

    def _value_typename(self, node: n.TypeName) -> TypeRef:
        return TypeRef(node.name)

    def _value_arrayliteral(self, node: n.ArrayLiteral) -> list[Any]:
        return [self.value(item) for item in node.items]

    def _value_arrayexpression(self, node: n.ArrayExpression) -> list[Any]:
        output: list[Any] = []
        if len(node.body) == 1 and isinstance(node.body[0], n.ArrayLiteral):
            return self._value_arrayliteral(node.body[0])
        self.run(node.body, output.append)
        return output

    def _value_subexpression(self, node: n.SubExpression) -> Any:
        output: list[Any] = []
        self.run(node.body, output.append)
        return None if not output else output[0] if len(output) == 1 else output

    def _value_paren(self, node: n.Paren) -> Any:
        if isinstance(node.inner, n.Assign):
            self.statement(node.inner, lambda value: None)
            return self.value(node.inner.target)
        return self.collect(node.inner)

    def _value_hashliteral(self, node: n.HashLiteral) -> Hashtable:
        return Hashtable([(self.value(key), self.collect(value)) for key, value in node.pairs])

    def _value_scriptblock(self, node: n.ScriptBlock) -> Block:
        return Block(node)

    def _value_cast(self, node: n.Cast) -> Any:
        from winsim.pwsh import dotnet

        return dotnet.cast(self, node.type, self.value(node.operand), node)

    def _value_member(self, node: n.Member) -> Any:
        from winsim.pwsh import dotnet

        owner, name = self.value(node.target), text_of(self.value(node.name))
        if node.static:
            return dotnet.get_static(self, owner, name, node)
        return dotnet.get_member(self, owner, name, node)

    def _value_call(self, node: n.Call) -> Any:
        from winsim.pwsh import dotnet

        owner, name = self.value(node.target), text_of(self.value(node.name))
        arguments = [self.value(argument) for argument in node.arguments]
        if node.static:
            return dotnet.call_static(self, owner, name, arguments, node)
        return dotnet.call_method(self, owner, name, arguments, node)

    def _value_index(self, node: n.Index) -> Any:
        container, index = self.value(node.target), self.value(node.index)
        if isinstance(container, Table):
            return container.get(index)
        if container is None:
            raise Terminating(ErrorRecord("Cannot index into a null array.", "NullArray", "InvalidOperation"))
        if isinstance(index, list):
            return [container[int(number(item))] for item in index if -len(container) <= int(number(item)) < len(container)]
        if isinstance(container, (list, str, bytes)):
            position = int(number(index))
            return container[position] if -len(container) <= position < len(container) else None
        if isinstance(container, PSObject) and "Item" in container.methods:
            return container.methods["Item"](index)
        raise self.fail("an index of this object", node)

    def _value_unary(self, node: n.Unary) -> Any:
        if node.operator in ("++", "--", "post++", "post--"):
            before = number(self.value(node.operand))
            after = before + (1 if "+" in node.operator else -1)
            self._store(node.operand, after)
            return before if node.operator.startswith("post") else after
        value = self.value(node.operand)
        if node.operator == "not":
            return not truth(value)
        if node.operator == "-":
            return -number(value)
        if node.operator == "+":
            return number(value)
        if node.operator == "join":
            return "".join(text_of(item) for item in listed(value))
        if node.operator == "split":
            return text_of(value).split()
        if node.operator == "bnot":
            return ~int(number(value))
        raise self.fail(f"operator {node.operator}", node)

    def _value_binary(self, node: n.Binary) -> Any:
        if node.operator == "and":
            return truth(self.value(node.left)) and truth(self.value(node.right))
        if node.operator == "or":
            return truth(self.value(node.left)) or truth(self.value(node.right))
        return self.binary(node.operator, self.value(node.left), self.value(node.right), node)

    def binary(self, operator: str, left: Any, right: Any, node: n.Node) -> Any:
        """Apply a binary operator."""
        from winsim.pwsh import operators

        return operators.apply(self, operator, left, right, node)


@dataclass
class Parameter:
    """``-Name`` on a command line, before it is paired with a value."""

    name: str


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


__all__ = ["Interpreter", "Parameter", "ScriptResult", "compare", "run_script", "wildcard"]
