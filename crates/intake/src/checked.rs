//! Who hears of the messages of strangers that were checked: `reports`, behind a seam.

use address::ReversePath;
use mailauth::dmarc::Policy;
use policy::arrival::Facts;

/// A message that was checked, and is not asked to come back.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    pub facts: &'a Facts,
    pub reverse_path: &'a ReversePath,
    pub header: &'a [u8],
    /// `Authentication-Results`, the whole field.
    pub results: &'a str,
    /// What is done with it.
    pub done: Policy,
}

/// Hears of each. It is called while the client waits.
pub trait Reporter: Send + Sync {
    fn checked(&self, checked: &Checked<'_>);
}
