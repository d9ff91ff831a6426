"""Runs pipelines, commands, script blocks and programs of the PowerShell subset."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.winsim.command_line import join_command_line
from lab.winsim.handlers import run_process
from lab.winsim.process import InputStream, Process
from lab.winsim.pwsh import nodes as n
from lab.winsim.pwsh.parser import Parser
from lab.winsim.pwsh.values import Block, ErrorRecord, Table, Terminating, display, listed, text_of

Emit = Callable[[Any], None]


class Flow(Exception):
    """return, break, continue and exit travel up as exceptions."""

    def __init__(self, kind: str, value: Any = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.value = value


@dataclass
class Parameter:
    """``-Name`` on a command line, before it is paired with a value."""

    name: str


class CallMixin:
    """The part of the interpreter that calls things."""

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

                def merge(_record):
                    """Throw it away."""

        self._merge.append(merge)
        try:
            work(sink)
        finally:
            self._merge.pop()
        if target is not None and target[0]:
            from lab.winsim.pwsh import cmdlets

            text = "\ufeff" + display(collected)
            cmdlets.write_file(self, target[0], text.encode("utf-16-le"), append=target[1])

    def _command(self, node: n.Command, emit: Emit, objects: list[Any] | None) -> None:
        from lab.winsim.pwsh import cmdlets

        name = self.value(node.name)
        if isinstance(name, Block):
            positional, named = self._arguments(node)
            self.invoke_into(name, positional, named, objects, emit, new_scope=node.operator != ".")
            return
        name = text_of(name)
        resolved = cmdlets.ALIASES.get(name.lower(), name)
        if resolved in self.functions:
            positional, named = self._arguments(node)
            self.invoke_into(self.functions[resolved], positional, named, objects, emit)
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
        from lab.winsim.pwsh import cmdlets

        text = self.machine.files.read_bytes(cmdlets.file_path(self, path)).decode("utf-8-sig")
        block, outer = Block(Parser(text).parse()), self.text
        self.text = text
        try:
            self.invoke_into(block, positional, named, None, emit)
        except Flow as flow:
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

    def invoke_into(
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
        except Flow as flow:
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
        self.invoke_into(block, positional, named, objects, output.append, new_scope, subject)
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


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
