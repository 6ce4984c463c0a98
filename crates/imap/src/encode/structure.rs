//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).

use super::Encoder;
use crate::pending::{Envelope, Part};

impl Encoder<'_> {
    pub(super) fn envelope(&mut self, _envelope: &Envelope) {
        self.nil();
    }

    pub(super) fn structure(&mut self, _part: &Part, _extended: bool) {
        self.nil();
    }
}
