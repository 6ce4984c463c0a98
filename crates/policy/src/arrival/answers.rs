//! What the DNS said while one message was looked at: each TXT record is asked for once.

use dns::{Lookup, Names};
use mailauth::{Dns, Found, Mx, Txt};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The answers for one message. DMARC bounds how many there are ([`mailauth::dmarc::MAX_QUERIES`] for each domain).
#[derive(Debug)]
pub(super) struct Answers {
    dns: Arc<dyn Lookup>,
    txt: Mutex<HashMap<String, Txt>>,
}

impl Answers {
    pub(super) fn new(dns: Arc<dyn Lookup>) -> Self {
        Self { dns, txt: Mutex::default() }
    }

    fn known(&self, name: &str) -> Option<Txt> {
        // Each step leaves the table whole: a panic elsewhere does not spoil it.
        self.txt.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

impl Dns for Answers {
    async fn txt(&self, name: &str) -> Txt {
        if let Some(known) = self.known(name) {
            return known;
        }
        let answer = Names(&*self.dns).txt(name).await;
        self.txt.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), answer.clone());
        answer
    }

    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        Names(&*self.dns).a(name).await
    }

    async fn aaaa(&self, name: &str) -> Found<Ipv6Addr> {
        Names(&*self.dns).aaaa(name).await
    }

    async fn mx(&self, name: &str) -> Found<Mx> {
        Names(&*self.dns).mx(name).await
    }

    async fn ptr(&self, ip: IpAddr) -> Found<String> {
        Names(&*self.dns).ptr(ip).await
    }
}
