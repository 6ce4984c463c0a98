//! Signing keys rotated in stages, with a DNS of which only the answers are real.

use super::*;
use crate::domain::dkim::{Keys, Rotate, Status, Zones};
use crate::domain::rotation::{IN_FLIGHT, Seen};
use dns::{DnsError, ServerSays};
use mailauth::dkim::{BodyHasher, Form, Signer, SigningKey};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::directory::{KeyStage, SigningKeyRecord};
use store::queue::{Fate, RecipientChange};

/// Two servers and the records they have.
#[derive(Debug, Default)]
struct TwoServers(Mutex<[HashMap<String, String>; 2]>);

impl TwoServers {
    fn publish(&self, servers: &[usize], keys: &Keys) {
        let mut held = self.0.lock().unwrap();
        for record in keys.keys.iter().filter_map(|key| key.record.as_ref()) {
            for server in servers {
                held[*server].insert(record.name.clone(), record.value.replace(['"', ' '], ""));
            }
        }
    }

    fn remove(&self, name: &str) {
        self.0.lock().unwrap().iter_mut().for_each(|server| drop(server.remove(name)));
    }
}

impl Zones for TwoServers {
    fn txt_everywhere<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<ServerSays>, DnsError>> + Send + 'a>> {
        let held = self.0.lock().unwrap();
        let says = |(at, server): (usize, &HashMap<String, String>)| {
            let found = server.get(name).map(|text| vec![text.clone().into_bytes()]);
            let answer = found.ok_or_else(|| DnsError::NoSuchName(name.to_owned()));
            ServerSays { server: format!("ns{at}.example.org"), answer }
        };
        let said = held.iter().enumerate().map(says).collect();
        Box::pin(async move { Ok(said) })
    }
}

fn stages(keys: &Keys) -> Vec<(&str, KeyStage)> {
    keys.keys.iter().map(|key| (key.selector.as_str(), key.stage)).collect()
}

async fn status(operations: &Operations) -> Keys {
    root(operations, Status { domain: "example.org".parse().unwrap() }).await.unwrap()
}

async fn rotate(operations: &Operations) -> Keys {
    root(operations, Rotate { domain: "example.org".parse().unwrap() }).await.unwrap()
}

/// Lets the keys be as old as if time had passed.
async fn age(operations: &Operations, keys: &Keys) {
    let domain = &keys.domain;
    for key in operations.store().signing_keys(domain).unwrap() {
        let steps = vec![store::directory::KeyStep { selector: key.selector, to: Some(key.stage) }];
        let then = key.since - IN_FLIGHT - 1000;
        operations.store().step_signing_keys(domain.clone(), steps, then).await.unwrap();
    }
}

#[tokio::test]
async fn keys_are_rotated_in_stages() {
    use KeyStage::{Active, Removable, Retiring, Waiting};
    let folder = tempfile::tempdir().unwrap();
    let zones = Arc::new(TwoServers::default());
    let operations = installed(folder.path()).await.with_zones(Arc::clone(&zones) as _);
    let first = status(&operations).await;
    assert_eq!(stages(&first), [("w1", Active), ("w2", Active)]);
    assert!(first.keys[0].next.contains("publish it at w1._domainkey.example.org"));
    zones.publish(&[0, 1], &first);

    // New keys are made, and wait; asked again, no more are made.
    let made = rotate(&operations).await;
    assert_eq!(stages(&made), [("w1", Active), ("w2", Active), ("w3", Waiting), ("w4", Waiting)]);
    assert_eq!(made.keys[2].algorithm.as_deref(), Some("rsa-sha256"));
    assert_eq!(made.keys[3].algorithm.as_deref(), Some("ed25519-sha256"));
    assert_eq!(stages(&rotate(&operations).await).len(), 4);

    // One server is not enough.
    zones.publish(&[0], &made);
    let half = status(&operations).await;
    assert_eq!((half.keys[2].stage, half.keys[2].seen), (Waiting, Seen::Partly));
    let published: Vec<bool> = half.keys[2].servers.iter().map(|at| at.published).collect();
    assert_eq!(published, [true, false]);

    // A message goes out with the old signature and waits in the queue.
    let trace =
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\r\n\ts=x; s=w1; b=x\r\n";
    let mut waiting = arriving(b"Subject: x\r\n\r\n");
    waiting.trace = Bytes::from_static(trace);
    waiting.remote =
        vec![NewRecipient { address: address("a@b.example"), parameters: String::new(), due: 0, held: true }];
    waiting.local = Vec::new();
    let id = waiting.id;
    operations.store().accept(waiting).await.unwrap();
    zones.publish(&[1], &made);
    let replaced = status(&operations).await;
    assert_eq!(stages(&replaced), [("w1", Retiring), ("w2", Retiring), ("w3", Active), ("w4", Active)]);

    // w2 is in nobody's way once it cannot be in flight; w1 is needed by the message.
    age(&operations, &replaced).await;
    let retired = status(&operations).await;
    assert_eq!(stages(&retired), [("w1", Retiring), ("w2", Removable), ("w3", Active), ("w4", Active)]);
    assert!(retired.keys[0].next.contains("messages in the queue"));
    assert!(retired.keys[1].next.contains("can be removed") && retired.keys[1].record.is_none());
    let stored = operations.store().signing_keys(&retired.domain).unwrap();
    assert_eq!(stored[1].pem.reveal(), "", "the private key is deleted");

    // The message is gone, the records are removed, the old keys forgotten.
    let change = RecipientChange { message: id, position: 0, fate: Fate::Closed };
    operations.store().record(vec![change], Vec::new()).await.unwrap();
    assert_eq!(status(&operations).await.keys[0].stage, Removable);
    zones.remove("w1._domainkey.example.org");
    zones.remove("w2._domainkey.example.org");
    operations.tend_keys(None, true).await.unwrap();
    let last = status(&operations).await;
    assert_eq!(stages(&last), [("w3", Active), ("w4", Active)]);
    assert_eq!(last.keys[0].seen, Seen::Everywhere);
}

#[tokio::test]
async fn keys_that_are_old_enough_are_rotated_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let zones = Arc::new(TwoServers::default());
    let operations = installed(folder.path()).await.with_zones(Arc::clone(&zones) as _);
    let month = Duration::from_secs(30 * 24 * 3600);
    operations.tend_keys(Some(month), true).await.unwrap();
    assert_eq!(status(&operations).await.keys.len(), 2, "they are new");
    operations.tend_keys(None, true).await.unwrap();
    operations.tend_keys(Some(Duration::ZERO), true).await.unwrap();
    let made = status(&operations).await;
    assert_eq!(made.keys.len(), 4);
    // While some wait, no more are made.
    operations.tend_keys(Some(Duration::ZERO), true).await.unwrap();
    assert_eq!(status(&operations).await.keys.len(), 4);
}

#[tokio::test]
async fn without_dns_nothing_goes_on_and_relay_domains_have_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let made = rotate(&operations).await;
    assert_eq!((made.keys.len(), made.keys[2].seen), (4, Seen::Unknown));
    let kind = DomainKind::Relay {
        to: store::directory::RelayTarget::Mx,
        recipients: store::directory::RelayRecipients::Verify,
    };
    root(&operations, domain::Add { kind, ..local("branch.example") }).await.unwrap();
    let refused = root(&operations, Rotate { domain: "branch.example".parse().unwrap() }).await;
    assert!(matches!(refused, Err(AdminError::Refused(_))));
    // A key from before there were stages signs.
    let old = SigningKeyRecord {
        domain: "branch.example".parse().unwrap(),
        selector: "w1".into(),
        pem: Secret::new("damaged".into()),
        stage: KeyStage::Active,
        since: 0,
    };
    operations.store().add_signing_key(old).await.unwrap();
    assert!(operations.store().rotating_domains(true).unwrap().iter().all(|d| d.as_str() == "example.org"));
}

/// However the signature is folded.
#[tokio::test]
async fn a_key_is_needed_while_its_signature_is_in_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let keys = [SigningKey::generate_rsa().unwrap(), SigningKey::generate_ed25519().unwrap()];
    let pems = keys.map(|key| key.to_pem().unwrap());
    for (length, number) in (8..40).step_by(2).flat_map(|length| [(length, 0), (length, 1)]) {
        let domain: address::Domain = format!("{}.example", "x".repeat(length)).parse().unwrap();
        let (selector, key) = (format!("w{number}"), SigningKey::from_pem(pems[number].reveal()).unwrap());
        let needs = |selector: &str| operations.store().queue_needs_key(&domain, selector).unwrap();
        assert!(!needs(&selector));
        let signer = Signer::new(domain.clone(), selector.parse().unwrap(), key);
        let body = BodyHasher::new(Form::Relaxed).finish();
        let signature = signer.sign(b"From: me@example.org\r\n\r\n", &body, 1).unwrap();
        let mut waiting = arriving(b"Subject: x\r\n\r\n");
        waiting.trace = signature.into();
        let (address, parameters) = (address("a@b.example"), String::new());
        waiting.remote = vec![NewRecipient { address, parameters, due: 0, held: true }];
        waiting.local = Vec::new();
        operations.store().accept(waiting).await.unwrap();
        assert!(needs(&selector) && !needs("w"), "{domain} {selector}");
    }
}
