//! STARTTLS over 50 sessions, beside Postfix with the same certificate (RSA of 2048 bits).

use super::beside::compare;
use super::load::Load;
use super::{Context, Findings};
use crate::Error;

/// Over kept connections, and with a new connection and a whole handshake each.
const KEPT: u64 = 10_000;
const NEW: u64 = 4_000;

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let load = Load { starttls: true, messages: context.messages(KEPT), ..Load::default() };
    compare(context, "kept", &load, &mut findings)?;
    let new = Load { keep: false, messages: context.messages(NEW), ..load };
    compare(context, "new_connections", &new, &mut findings)?;
    Ok(findings)
}
