//! Zones, and their signatures.

use super::Handler;
use hickory_proto::dnssec::crypto::Ed25519SigningKey;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::dnssec::{DigestType, DnssecSigner, SigningKey as _};
use hickory_proto::rr::rdata::NS;
use hickory_proto::rr::{Name, RData, Record};
use hickory_proto::serialize::txt::Parser;
use hickory_server::dnssec::NxProofKind;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, ZoneType};
use std::sync::Arc;
use std::time::Duration;

/// Of all records, in seconds.
const TTL: u32 = 60;
/// How long signatures hold: longer than any test.
const SIGNED_FOR: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Zone {
    pub(super) origin: Name,
    records: String,
    more: Vec<Record>,
    key: Option<Ed25519SigningKey>,
}

impl Zone {
    pub(super) fn new(origin: &str, records: &str, signed: bool) -> Self {
        let mut origin = Name::from_ascii(origin).unwrap();
        origin.set_fqdn(true);
        let key = signed.then(|| {
            let key = Ed25519SigningKey::generate_pkcs8().unwrap();
            Ed25519SigningKey::from_pkcs8(&key).unwrap()
        });
        // A line that begins with a space would have the name of the one before.
        let records = records.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        Self { origin, records, more: Vec::new(), key }
    }

    /// The record that says to trust this zone's key.
    pub(super) fn dnskey(&self) -> String {
        let key = self.key.as_ref().unwrap().to_public_key().unwrap();
        format!("{} {TTL} IN DNSKEY {}\n", self.origin, DNSKEY::from_key(&key))
    }

    pub(super) fn build(self) -> Handler {
        let nsec = self.key.is_some().then_some(NxProofKind::Nsec);
        let text = format!(
            "@ {TTL} IN SOA ns hostmaster 1 3600 600 86400 {TTL}\n@ {TTL} IN NS ns\nns {TTL} IN A 127.0.0.1\n{}\n",
            self.records
        );
        let parsed = Parser::new(text, None, Some(self.origin.clone())).parse();
        let (_, records) = parsed.unwrap_or_else(|error| panic!("zone {}: {error}", self.origin));
        let policy = AxfrPolicy::Deny;
        let mut handler =
            InMemoryZoneHandler::new(self.origin.clone(), records, ZoneType::Primary, policy, nsec).unwrap();
        for record in self.more {
            assert!(handler.upsert_mut(record, 1));
        }
        if let Some(key) = self.key {
            let dnskey = DNSKEY::from_key(&key.to_public_key().unwrap());
            let signer = DnssecSigner::new(dnskey, Box::new(key), self.origin, SIGNED_FOR);
            handler.add_zone_signing_key_mut(signer).unwrap();
            handler.secure_zone_mut().unwrap();
        }
        Arc::new(handler)
    }
}

/// The signed root, which knows of each zone who serves it and, of a signed one, what its key is.
pub(super) fn root(children: &[Zone]) -> Zone {
    let mut root = Zone::new(".", "", true);
    for child in children {
        let origin = &child.origin;
        let server = Name::from_ascii("ns").unwrap().append_domain(origin).unwrap();
        root.more.push(Record::from_rdata(origin.clone(), TTL, RData::NS(NS(server))));
        if let Some(key) = &child.key {
            let key = key.to_public_key().unwrap();
            let ds = RData::DNSSEC(DNSSECRData::DS(DS::from_key(&key, origin, DigestType::SHA256).unwrap()));
            root.more.push(Record::from_rdata(origin.clone(), TTL, ds));
        }
    }
    root
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zone").field("origin", &self.origin).finish_non_exhaustive()
    }
}
