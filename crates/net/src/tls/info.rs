//! What was agreed in a handshake.

use super::certificate::{PeerCertificate, end_point_hash};
use rustls::pki_types::CertificateDer;
use rustls::{CommonState, ConnectionCommon, ProtocolVersion};

/// RFC 9266 §2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// A connection's TLS, for traces, policy and SASL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite under its IANA name: `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name that the client asked for.
    pub sni: Option<String>,
    /// The protocol agreed by ALPN.
    pub alpn: Option<String>,
    /// The server's certificate on a client's side; the client's, if it sent one, on a server's.
    pub peer_certificate: Option<PeerCertificate>,
    pub bindings: ChannelBindings,
}

/// Values that both ends of one connection know, and nobody between them (RFC 5056).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `tls-exporter` (RFC 9266). Only with TLS 1.3: earlier versions need the extended master secret (RFC 9266
    /// §4.2), and the TLS library does not say whether it was used.
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929 §4): a hash of the server's certificate, where its signature algorithm has one.
    pub server_end_point: Option<Vec<u8>>,
}

impl TlsInfo {
    /// `server` is the certificate that the server showed; `verified` whether the peer's chain was verified.
    pub(super) fn new<D>(
        connection: &ConnectionCommon<D>,
        sni: Option<String>,
        server: Option<&CertificateDer<'_>>,
        verified: bool,
    ) -> Self {
        let state: &CommonState = connection;
        let peer = state.peer_certificates().and_then(<[_]>::first);
        Self {
            version: version(state),
            cipher: cipher(state),
            sni,
            alpn: state.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            peer_certificate: peer.map(|certificate| PeerCertificate::new(certificate, verified)),
            bindings: ChannelBindings {
                exporter: exporter(connection),
                server_end_point: server.and_then(|certificate| end_point_hash(certificate)),
            },
        }
    }
}

fn version(state: &CommonState) -> &'static str {
    match state.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        // No other is ever offered or accepted.
        _ => "TLS",
    }
}

fn cipher(state: &CommonState) -> String {
    let name = state.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("unknown");
    // The library calls TLS 1.3 suites TLS13_…, IANA TLS_….
    name.strip_prefix("TLS13_").map_or_else(|| name.to_owned(), |rest| format!("TLS_{rest}"))
}

fn exporter<D>(connection: &ConnectionCommon<D>) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material([0; 32], EXPORTER_LABEL, None).ok()
}
