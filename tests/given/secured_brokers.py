"""A real broker that asks for TLS on one port and for a password on another."""

import shutil
import subprocess

import brokers

USER, PASSWORD = "barograph", "hush-hush"
_LISTENERS = """
listeners=PLAINTEXT://{{host}}:{{port}},CONTROLLER://{{host}}:{{controller}},\\
  SSL://{{host}}:{tls},SASL_PLAINTEXT://{{host}}:{sasl}
advertised.listeners=PLAINTEXT://{{host}}:{{port}},\\
  SSL://{{host}}:{tls},SASL_PLAINTEXT://{{host}}:{sasl}
listener.security.protocol.map=\\
  PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
ssl.keystore.type=PKCS12
ssl.keystore.location={store}
ssl.keystore.password={password}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\\
  org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""


class Secured:
    """One broker with three ports: `plain`, `tls` and `sasl`.

    `authority` is the file that its certificate is trusted by, `stranger` one that has never heard
    of it.
    """

    def __init__(self, folder):
        self.authority, store = _certificate(folder, "broker")
        self.stranger, _ = _certificate(folder, "stranger")
        self.plain, self.tls, self.sasl = brokers.free_ports(3)
        settings = _LISTENERS.format(
            tls=self.tls, sasl=self.sasl, store=store, user=USER, password=PASSWORD
        )
        self._brokers = brokers.Brokers(
            folder, 1, [self.plain], settings=settings, reserved=[self.tls, self.sasl]
        )

    def close(self):
        self._brokers.close()


def missing():
    """Why no certificate can be made here; empty if one can."""
    return "" if shutil.which("keytool") else "there is no keytool, which comes with Java"


def _certificate(folder, name):
    """A certificate for the loopback, signed by itself: its file, and the store with its key."""
    store, certificate = folder / f"{name}.p12", folder / f"{name}.pem"
    key = ["-alias", name, "-keystore", store, "-storepass", PASSWORD]
    made = ["-genkeypair", "-keyalg", "RSA", "-storetype", "PKCS12", "-dname", f"CN={name}"]
    for words in (
        [*made, "-ext", f"SAN=IP:{brokers.HOST}", "-validity", "30"],
        ["-exportcert", "-rfc", "-file", certificate],
    ):
        subprocess.run(["keytool", *words, *key], check=True, capture_output=True)
    return certificate, store
