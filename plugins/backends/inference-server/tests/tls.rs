//! Real handshakes: an authority of one's own is trusted if it is named, and nobody else is.

use crate::wire;
use crate::wire::{Server, artifact, inputs, local, options};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use zoo_backend_inference_server::InferenceServer;
use zoo_core::{Backend, Device, Error, Result, Session};

/// An authority, its certificate in a file, and a server that it vouches for.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server's side of the handshake, for an address.
    fn server(&self, name: &str, protocol: &[u8]) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_string()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        config
    }
}

fn session(url: &str, ca: Option<&std::path::Path>) -> Result<Box<dyn Session>> {
    let ca = ca.map(|path| ("ca", path.to_str().unwrap()));
    let settings: Vec<_> = [("url", url), ("backoff-ms", "0"), ("tries", "3")].into_iter().chain(ca).collect();
    InferenceServer.compile(&artifact(), &Device::Cpu, &options(&settings))
}

fn runs(mut session: Box<dyn Session>) {
    let inputs = inputs(&*session);
    assert_eq!(session.run(&inputs).unwrap()[0].as_bytes(), local().run(&inputs).unwrap()[0].as_bytes());
}

/// The server's authority is accepted; another one, the web's, and a certificate for another address are not, at the first try.
fn trust(url: &str, elsewhere: &str, own: &Authority) {
    runs(session(url, Some(&own.file())).unwrap());
    let stranger = Authority::new();
    for (url, ca) in [(url, Some(stranger.file())), (url, None), (elsewhere, Some(own.file()))] {
        let error = session(url, ca.as_deref()).err().unwrap();
        let told =
            matches!(&error, Error::Unavailable { why, mend, .. } if why.starts_with("TLS: ") && mend.contains("inference-server.ca"));
        assert!(told && !error.to_string().contains("try "), "{url} {ca:?}: {error}");
    }
}

#[test]
fn grpc_trusts_whom_it_is_told_to() {
    let own = Authority::new();
    let server = Server::behind(own.server("127.0.0.1", b"h2"));
    let elsewhere = Server::behind(own.server("elsewhere.example", b"h2"));
    trust(&format!("grpcs://{}", server.address), &format!("grpcs://{}", elsewhere.address), &own);
}

#[test]
fn http_trusts_whom_it_is_told_to() {
    let own = Authority::new();
    let server = https(own.server("127.0.0.1", b"http/1.1"));
    let elsewhere = https(own.server("elsewhere.example", b"http/1.1"));
    trust(&format!("https://{server}"), &format!("https://{elsewhere}"), &own);
}

/// Answers requests behind TLS, one a connection, for as long as the test lasts.
fn https(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (config, mut model) = (Arc::new(config), wire::served());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // A client that does not trust this server hangs up.
            let Some(request) = read(&mut stream) else { continue };
            let reply = model.answer(&request);
            let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
            reply.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
            stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
            stream.write_all(&reply.body).unwrap();
            stream.conn.send_close_notify();
            stream.flush().ok();
        }
    });
    address
}

fn read(stream: &mut impl Read) -> Option<zoo_test_support::hub::Request> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).ok()?;
    let mut request = zoo_test_support::hub::Request::parse(&text)?;
    request.body = vec![0; request.headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}
