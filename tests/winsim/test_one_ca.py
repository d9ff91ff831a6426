"""One CA for all PCs: its certificate is the one file that a control node trusts (inventory/fleet), and no other CA's PC is."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from simulator_process import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["pc001", "pc002", "pc003"]


class Ca:
    """A certificate authority, as a house has one."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
            + ("crl_sign", "encipher_only", "decipher_only"),
            False,
        )
        self.certificate = self._signed(
            self.name,
            self.key,
            x509.BasicConstraints(ca=True, path_length=0),
            x509.KeyUsage(key_cert_sign=True, **usage),
            x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()),
        )

    def _signed(self, name, key, *extensions) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=30))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, file: Path, *names: x509.GeneralName) -> None:
        """Write key and certificate for a PC, as the simulator reads them."""
        key = ec.generate_private_key(ec.SECP256R1())
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        extensions = [
            x509.SubjectAlternativeName(names),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.BasicConstraints(ca=False, path_length=None),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),  # Python 3.13 wants it
        ]
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "LAB-PC")])
        file.parent.mkdir()
        file.write_bytes(text + self._signed(name, key, *extensions))


@pytest.fixture
def inventory(tmp_path: Path, own_simulator) -> Path:
    """An inventory like inventory/fleet with one certificate; its third PC has a certificate of somebody else's CA."""
    house, other = Ca("House CA"), Ca("House CA")
    hosts = {}
    for name in NAMES:
        certificate = tmp_path / f"cert-{name}" / "lab-pc.pem"
        ca = other if name == "pc003" else house
        ca.issue(certificate, x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        simulator = own_simulator("--cert-dir", str(certificate.parent))
        hosts[name] = {"windows_address": "127.0.0.1", "windows_port": simulator.client.info["https_port"]}
    folder = tmp_path / "fleet"
    (folder / "group_vars" / "fleet").mkdir(parents=True)
    for link in ("all", "windows"):
        (folder / "group_vars" / link).symlink_to(ROOT / "inventory" / "group_vars" / link)
    fleet = {"windows_user": "student", "windows_password": PASSWORD, "windows_certificate": str(folder / "ca.pem")}
    (folder / "group_vars" / "fleet" / "settings.yml").write_text(yaml.safe_dump(fleet))
    (folder / "ca.pem").write_bytes(house.certificate)
    (folder / "hosts.yml").write_text(yaml.safe_dump({"fleet": {"children": {"windows": {"hosts": hosts}}}}))
    return folder


def test_one_file_of_the_house_reaches_its_pcs_and_no_other(inventory: Path) -> None:
    argv = [
        str(Path(sys.executable).with_name("ansible")),
        "-i",
        str(inventory),
        "windows",
        "--one-line",
        "-m",
        "ansible.windows.win_ping",
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    said = {line.split(" ")[0]: line for line in done.stdout.splitlines()}
    assert sorted(said) == NAMES, done.stdout + done.stderr
    assert [name for name in NAMES if "SUCCESS" in said[name]] == ["pc001", "pc002"], said
    assert "UNREACHABLE" in said["pc003"]
    assert "certificate verify failed" in said["pc003"]
    assert done.returncode == 4
