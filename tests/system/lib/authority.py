"""A certificate authority of the test's own, and a web server with certificates by it."""
import http.server
import ssl
import subprocess
import threading


def openssl(*args, **more):
    return subprocess.run(["openssl", *[str(a) for a in args]], check=True, capture_output=True, **more)


class Authority:
    def __init__(self, folder, clock=None):
        """clock: as faketime(1) has it, "-10d": what it signs is good from then on."""
        self.folder, self.clock = folder, ["faketime", "-f", clock] if clock else []
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self.order("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-days", 30, "-subj", "/CN=Test authority", "-addext",
                   "basicConstraints=critical,CA:TRUE", "-keyout", folder / "ca.key", "-out", self.file)

    def order(self, *args):
        subprocess.run([*self.clock, "openssl", *map(str, args)], check=True, capture_output=True)

    def certificate(self, name, *hosts, days=30):
        """-> (certificate, key) for these hosts; days < 0: it has ended."""
        key, request, cert = (self.folder / f"{name}.{x}" for x in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{h}" for h in hosts) +
                              "\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        order = ["x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.folder / "ca.key",
                 "-CAcreateserial", "-extfile", extensions, "-out", cert]
        if days > 0:
            self.order(*order, "-days", days)
        else:
            # Signed by a clock that is behind.
            subprocess.run(["faketime", "-f", "-60d", "openssl", *map(str, order), "-days", "10"],
                           check=True, capture_output=True)
        return cert, key

    def key_digest(self, cert):
        """SHA-256 of the public key, as a TLSA record 3 1 1 has it."""
        public = openssl("x509", "-in", cert, "-noout", "-pubkey").stdout
        der = openssl("pkey", "-pubin", "-outform", "DER", input=public).stdout
        return openssl("dgst", "-sha256", "-r", input=der).stdout.split()[0].decode()


class WebServer:
    """HTTPS on port 443 of an address; pages: {host: (status, type, text)}, or {host: what to
    do with the request}; posted: what
    was sent to it, [(path, Content-Type, body)], answered with post_status."""

    def __init__(self, address, pair):
        self.pages, self.asked, self.posted, self.post_status = {}, [], [], 201
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                host = self.headers.get("Host", "")
                web.asked.append((host, self.path))
                if callable(web.pages.get(host)):
                    self.close_connection = True
                    web.pages[host](self.wfile)
                    return
                status, kind, text = web.pages.get(host, (404, "text/plain", "no\n"))
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status // 100 == 3:
                    self.send_header("Location", f"https://{host}/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.posted.append((self.path, self.headers["Content-Type"], body))
                self.send_response(web.post_status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
