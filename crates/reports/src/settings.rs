//! What is reported, and where reports are expected.

use address::Address;
use directory::Directory;

/// One immutable snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Sends aggregate reports to domains that ask for them (RFC 9990).
    pub dmarc: bool,
    /// Sends TLS reports (RFC 8460).
    pub tls: bool,
    /// Sends reports of single messages that fail, with their header (RFC 9991).
    pub failure: bool,
    /// Who reports; `None`: the postmaster.
    pub from: Option<Address>,
    /// Where reports about our domains come: whole addresses, or local parts, which then count in every domain.
    pub read: Vec<String>,
    /// Posts reports to web servers in private networks and on this machine too: in tests.
    pub post_anywhere: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let read = ["dmarc", "dmarc-reports", "tls-reports", "postmaster"];
        Self {
            dmarc: true,
            tls: true,
            failure: false,
            from: None,
            read: read.map(str::to_owned).to_vec(),
            post_anywhere: false,
        }
    }
}

impl Settings {
    /// Whether mail for `address` is searched for reports.
    pub(crate) fn reads(&self, address: &Address) -> bool {
        let (local, whole) = (address.local().folded(), address.to_string());
        self.read.iter().any(|name| name.eq_ignore_ascii_case(&local) || name.eq_ignore_ascii_case(&whole))
    }

    /// The sender of reports, if there is one.
    pub(crate) fn sender(&self, directory: &Directory) -> Option<Address> {
        self.from.clone().or_else(|| directory.postmaster().ok().flatten())
    }
}
