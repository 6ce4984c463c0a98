//! One session alone, a message after another, beside Postfix.

use super::beside::compare;
use super::load::Load;
use super::{Context, Findings};
use crate::Error;

const MESSAGES: u64 = 3_000;

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let load = Load { connections: 1, messages: context.messages(MESSAGES), ..Load::default() };
    compare(context, "kept", &load, &mut findings)?;
    compare(context, "new_connections", &Load { keep: false, ..load }, &mut findings)?;
    Ok(findings)
}
