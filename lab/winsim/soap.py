"""SOAP envelopes of WS-Management: reading requests, writing answers and faults."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
SHELL_CMD = SHELL + "/cmd"
ANONYMOUS = ADDRESSING + "/role/anonymous"

_NAMESPACES = {"s": ENVELOPE, "a": ADDRESSING, "w": WSMAN, "rsp": SHELL, "x": TRANSFER}

OPERATION_TIMED_OUT = 2150858793
SHELL_NOT_FOUND = 2150858843
RESOURCE_NOT_FOUND = 2150858752
ENVELOPE_TOO_LARGE = 2150858801
ACCESS_DENIED = 5
INVALID_PARAMETER = 87


class WsmanFault(Exception):
    """A WS-Management fault; ``code`` is the WSManFault number, ``subcode`` the qualified SOAP one."""

    def __init__(self, code: int, reason: str, subcode: str = "w:InternalError", sender: bool = True) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.subcode = subcode
        self.sender = sender


@dataclass
class Request:
    """One request: the header fields that matter, and the body element."""

    action: str
    message_id: str
    resource_uri: str
    selectors: dict[str, str]
    options: dict[str, str]
    operation_timeout: float
    max_envelope: int
    body: ET.Element

    @property
    def verb(self) -> str:
        """The last part of the action, for example ``Receive``."""
        return self.action.rsplit("/", 1)[-1]


def parse_request(data: bytes) -> Request:
    """Read a request envelope.

    Raises:
        WsmanFault: the text is not XML, has no SOAP header, or demands a header that is not understood.
    """
    if b"<!DOCTYPE" in data[:2048]:
        raise WsmanFault(INVALID_PARAMETER, "A document type declaration is not allowed.", "w:SchemaValidationError")
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        raise WsmanFault(INVALID_PARAMETER, f"The XML is not valid: {error}", "w:SchemaValidationError") from error
    header = root.find("s:Header", _NAMESPACES)
    body = root.find("s:Body", _NAMESPACES)
    if header is None or body is None:
        raise WsmanFault(INVALID_PARAMETER, "The SOAP header or body is missing.", "w:SchemaValidationError")

    def text(name: str, default: str = "") -> str:
        return (header.findtext(name, default, _NAMESPACES) or default).strip()

    return Request(
        action=text("a:Action"),
        message_id=text("a:MessageID"),
        resource_uri=text("w:ResourceURI"),
        selectors={
            item.get("Name", ""): (item.text or "").strip()
            for item in header.findall("w:SelectorSet/w:Selector", _NAMESPACES)
        },
        options={
            item.get("Name", "").upper(): (item.text or "").strip()
            for item in header.findall("w:OptionSet/w:Option", _NAMESPACES)
        },
        operation_timeout=parse_duration(text("w:OperationTimeout", "PT60S")),
        max_envelope=int(text("w:MaxEnvelopeSize", "153600")),
        body=body,
    )


def parse_duration(text: str) -> float:
    """Return the seconds of an xs:duration such as ``PT20S`` (days, hours, minutes and seconds only).

    Raises:
        WsmanFault: the text is not such a duration.
    """
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", text)
    if not match or text in ("P", "PT"):
        raise WsmanFault(INVALID_PARAMETER, f"The duration {text!r} is not valid.", "w:SchemaValidationError")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def envelope(action: str, relates_to: str, body: str) -> bytes:
    """Return an answer envelope around ready-made body XML (prefixes s, a, w, p, x, rsp, wsmanfault are bound)."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<s:Envelope xml:lang="en-US" xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" '
        f'xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" '
        'xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">'
        f"<s:Header><a:Action>{escape(action)}</a:Action>"
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault_envelope(fault: WsmanFault, relates_to: str, machine_name: str) -> bytes:
    """Return the envelope of a fault; it travels with HTTP status 500."""
    code = "s:Sender" if fault.sender else "s:Receiver"
    return envelope(
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault",
        relates_to,
        f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(fault.reason)}</s:Text></s:Reason><s:Detail>'
        '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
        f'Code="{fault.code}" Machine={quoteattr(machine_name)}><f:Message>{escape(fault.reason)}</f:Message>'
        "</f:WSManFault></s:Detail></s:Fault>",
    )
